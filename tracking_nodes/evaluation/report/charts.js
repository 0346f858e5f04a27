// Line and scatter plots as SVG, from the same data as the plots for papers.

const SVG = 'http://www.w3.org/2000/svg';
const PAD = {left: 66, right: 12, top: 8, bottom: 42};

function node(parent, name, attributes = {}, text = null, space = SVG) {
  const made = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  parent.append(made);
  return made;
}

function html(parent, name, attributes, text) {
  return node(parent, name, attributes, text, 'http://www.w3.org/1999/xhtml');
}

function paint(line, index) {
  line.setAttribute('stroke', report.colours[index]);
  line.setAttribute('stroke-dasharray', report.dashes[index]);
}

function ticks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find(factor => factor * power >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) {
    found.push(Number(value.toPrecision(10)));
  }
  return found;
}

function decades(low, high) {
  const found = [];
  const factors = Math.log10(high / low) > 2 ? [1] : [1, 2, 5];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    found.push(...factors.map(factor => Number((factor * 10 ** power).toPrecision(3))));
  }
  return found.filter(value => value >= low && value <= high);
}

function rangeOf(plot, axis, shown) {
  const given = axis === 0 ? plot.x_range : plot.y_range;
  if (given) return given;
  const values = shown.flatMap(label => plot.series[label][axis]).filter(value => value !== null);
  if (!values.length) return axis === 0 && plot.log_x ? [1, 10] : [0, 1];
  let low = values.reduce((a, b) => Math.min(a, b));
  let high = values.reduce((a, b) => Math.max(a, b));
  if (axis === 0 && plot.log_x) return [low / 1.6, high * 2];
  const room = plot.marks ? (high - low || Math.abs(high) || 1) * 0.2 : 0;
  if (axis === 1 && !plot.marks) low = Math.min(0, low);
  return [low - room, high + room || 1];
}

// Returns {figure, area, x, y, pixel}: x and y turn a value into a place in the SVG, and pixel
// turns the pointer's event into a value of x.
function axes(parent, plot, shown, width, height) {
  const figure = html(parent, 'figure');
  html(figure, 'figcaption', {}, plot.title);
  const svg = node(figure, 'svg', {viewBox: `0 0 ${width} ${height}`, role: 'img',
    'aria-label': plot.title});
  const [xLow, xHigh] = rangeOf(plot, 0, shown);
  const [yLow, yHigh] = rangeOf(plot, 1, shown);
  const inner = {width: width - PAD.left - PAD.right, height: height - PAD.top - PAD.bottom};
  const share = plot.log_x
    ? value => Math.log(value / xLow) / Math.log(xHigh / xLow)
    : value => (value - xLow) / (xHigh - xLow || 1);
  const x = value => PAD.left + inner.width * (plot.flip_x ? 1 - share(value) : share(value));
  const y = value => PAD.top + inner.height * (1 - (value - yLow) / (yHigh - yLow || 1));
  const whole = plot.flip_x ? value => Number.isInteger(value) : () => true;
  const across = plot.log_x ? decades(xLow, xHigh) : ticks(xLow, xHigh, width / 90);
  for (const value of across.filter(whole)) {
    node(svg, 'line', {class: 'grid', x1: x(value), x2: x(value), y1: PAD.top,
      y2: height - PAD.bottom});
    node(svg, 'text', {x: x(value), y: height - PAD.bottom + 16, 'text-anchor': 'middle'}, value);
  }
  for (const value of ticks(yLow, yHigh, 5)) {
    node(svg, 'line', {class: 'grid', x1: PAD.left, x2: width - PAD.right, y1: y(value),
      y2: y(value)});
    node(svg, 'text', {x: PAD.left - 6, y: y(value) + 4, 'text-anchor': 'end'}, value);
  }
  node(svg, 'rect', {class: 'frame', x: PAD.left, y: PAD.top, ...inner});
  node(svg, 'text', {x: PAD.left + inner.width / 2, y: height - 6, 'text-anchor': 'middle'},
    plot.x_label);
  node(svg, 'text', {x: 0, y: 0, 'text-anchor': 'middle',
    transform: `translate(13 ${PAD.top + inner.height / 2}) rotate(-90)`}, plot.y_label);
  const pixel = event => {
    const place = svg.getBoundingClientRect();
    const at = (event.clientX - place.left) * width / place.width;
    return xLow + (at - PAD.left) / inner.width * (xHigh - xLow);
  };
  return {figure, svg, x, y, pixel, bottom: height - PAD.bottom};
}

function path(xs, ys, x, y) {
  let pen = 'M';
  return xs.map((value, index) => {
    if (ys[index] === null || value === null) {
      pen = 'M';
      return '';
    }
    const step = `${pen}${x(value).toFixed(1)} ${y(ys[index]).toFixed(1)}`;
    pen = 'L';
    return step;
  }).join('');
}

function legend(figure, plot, shown) {
  const list = html(figure, 'div', {class: 'legend'});
  const number = label => plot.numbers[label];
  for (const label of [...shown].sort((a, b) => (number(b) ?? 0) - (number(a) ?? 0))) {
    const entry = html(list, 'span');
    const key = node(entry, 'svg', {class: 'swatch', viewBox: '0 0 22 8'});
    paint(node(key, 'line', {x1: 0, x2: 22, y1: 4, y2: 4, 'stroke-width': 3}),
      report.labels.indexOf(label));
    const value = number(label) === undefined ? '' : ` [${number(label).toFixed(3)}]`;
    entry.append(label + value);
  }
}

function drawPlot(parent, plot, visible, width = 480, height = 320) {
  const shown = Object.keys(plot.series).filter(label => visible.has(label));
  const drawn = axes(parent, plot, shown, width, height);
  if (plot.diagonal) {
    node(drawn.svg, 'line', {class: 'diagonal', x1: drawn.x(0), y1: drawn.y(0), x2: drawn.x(1),
      y2: drawn.y(1)});
  }
  for (const [row, [low, high, words]] of (plot.spans ?? []).entries()) {
    node(drawn.svg, 'rect', {class: 'span', x: drawn.x(low), y: PAD.top,
      width: drawn.x(high) - drawn.x(low), height: drawn.bottom - PAD.top});
    const right = drawn.x(low) > width * 0.7;
    node(drawn.svg, 'text', {x: drawn.x(low) + (right ? -3 : 3), y: drawn.bottom - 5 - 14 * row,
      'text-anchor': right ? 'end' : 'start'}, words);
  }
  for (const label of shown) {
    const index = report.labels.indexOf(label);
    const [xs, ys] = plot.series[label];
    if (plot.marks) {
      node(drawn.svg, 'circle', {class: 'mark', cx: drawn.x(xs[0]), cy: drawn.y(ys[0]), r: 6,
        fill: report.colours[index]});
      const right = drawn.x(xs[0]) > width * 0.75;
      node(drawn.svg, 'text', {x: drawn.x(xs[0]) + (right ? -10 : 10), y: drawn.y(ys[0]) - 8,
        'text-anchor': right ? 'end' : 'start'}, label);
    } else {
      paint(node(drawn.svg, 'path', {class: 'series', d: path(xs, ys, drawn.x, drawn.y)}), index);
      for (const [at, value] of plot.diagonal ? xs.entries() : []) {
        node(drawn.svg, 'circle', {cx: drawn.x(value), cy: drawn.y(ys[at]), r: 3,
          fill: report.colours[index]});
      }
    }
  }
  if (!plot.marks || Object.keys(plot.numbers).length) legend(drawn.figure, plot, shown);
  return drawn;
}
