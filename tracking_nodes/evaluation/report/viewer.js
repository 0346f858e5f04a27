// Overlap over time on one sequence, and the frame that a click in it opens.

const viewer = {sequence: null, tracks: null, images: {}, embedded: [], trial: '', frame: 0};

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return JSON.parse(await new Response(stream).text());
}

async function openSequence(name) {
  const index = report.sequences.indexOf(name);
  viewer.sequence = name;
  byId('sequence').value = name;
  const tracks = await unpack(byId(`tracks-${index}`).textContent);
  if (viewer.sequence !== name) return;
  viewer.tracks = tracks;
  viewer.images = JSON.parse(byId(`images-${index}`).textContent);
  viewer.embedded = Object.keys(viewer.images).map(Number).sort((a, b) => a - b);
  viewer.trial = '';
  showTrials();
  const worst = dipsShown()[0];
  openFrame(worst ? worst.frame : 0);
}

// {tracker: track} of the protocol and trial chosen, of trackers that are ticked.
function runs() {
  const trials = viewer.tracks.protocols[chosen.protocol] ?? {};
  const all = trials[viewer.trial] ?? {};
  return Object.fromEntries(Object.entries(all).filter(([label]) => chosen.trackers.has(label)));
}

function showTrials() {
  const names = Object.keys(viewer.tracks.protocols[chosen.protocol] ?? {});
  if (!names.includes(viewer.trial)) viewer.trial = names[0] ?? '';
  byId('trial').replaceChildren();
  for (const name of names) html(byId('trial'), 'option', {value: name}, name || 'the only one');
  byId('trial').value = viewer.trial;
  byId('trial-choice').hidden = names.length < 2;
}

function dipsShown() {
  return Object.entries(runs()).flatMap(([label, run]) =>
    run.dips.map(([frame, overlap, lost]) => ({label, frame, overlap, lost})))
    .sort((a, b) => b.lost - a.lost);
}

function showOverlap() {
  const parent = byId('overlap-plot');
  parent.replaceChildren();
  const tracks = runs();
  const labels = report.labels.filter(label => label in tracks);
  const count = viewer.tracks.truth.length;
  const plot = {title: `${viewer.sequence}, ${chosen.protocol}`, x_label: 'frame',
    y_label: 'overlap (IoU)', x_range: [0, Math.max(1, count - 1)], y_range: [0, 1], numbers: {},
    series: Object.fromEntries(labels.map(label =>
      [label, [tracks[label].overlaps.map((_, index) => index), tracks[label].overlaps]]))};
  for (const label of labels) {
    const known = tracks[label].overlaps.filter(value => value !== null);
    if (known.length) plot.numbers[label] = known.reduce((a, b) => a + b) / known.length;
  }
  const drawn = drawPlot(parent, plot, new Set(labels), 1100, 300);
  drawn.svg.classList.add('clickable');
  node(drawn.svg, 'line', {class: 'selected', id: 'selected', y1: 8, y2: drawn.bottom});
  const cursor = node(drawn.svg, 'line', {class: 'cursor', y1: 8, y2: drawn.bottom,
    visibility: 'hidden'});
  const hint = node(drawn.svg, 'title');
  const frameAt = event => Math.min(count - 1, Math.max(0, Math.round(drawn.pixel(event))));
  drawn.svg.addEventListener('pointermove', event => {
    const frame = frameAt(event);
    cursor.setAttribute('x1', drawn.x(frame));
    cursor.setAttribute('x2', drawn.x(frame));
    cursor.setAttribute('visibility', 'visible');
    hint.textContent = [`frame ${frame}`, ...labels.map(label =>
      `${label} ${fixed(tracks[label].overlaps[frame], 3)}`)].join('\n');
  });
  drawn.svg.addEventListener('pointerleave', () => cursor.setAttribute('visibility', 'hidden'));
  drawn.svg.addEventListener('click', event => openFrame(frameAt(event)));
  for (const label of labels) markEvents(drawn, label, tracks[label]);
  for (const dip of dipsShown()) {
    const [x, y] = [drawn.x(dip.frame), drawn.y(dip.overlap)];
    const mark = node(drawn.svg, 'path', {class: 'dip', 'data-frame': dip.frame,
      d: `M${x} ${y - 2}l6 -10h-12z`, fill: report.colours[report.labels.indexOf(dip.label)]});
    mark.addEventListener('click', event => {
      event.stopPropagation();
      openFrame(dip.frame);
    });
  }
  viewer.place = drawn.x;
}

// Failures of reset-based runs, as crosses at the foot of the plot.
function markEvents(drawn, label, run) {
  (run.events ?? []).forEach((event, frame) => {
    if (event !== report.failed) return;
    const [x, y] = [drawn.x(frame), drawn.bottom - 6];
    const cross = node(drawn.svg, 'path', {class: 'series failure',
      d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8`});
    cross.setAttribute('stroke', report.colours[report.labels.indexOf(label)]);
    node(cross, 'title', {}, `${label} failed in frame ${frame}`);
  });
}

function showDips() {
  byId('dips').replaceChildren();
  if (!Object.keys(runs()).length) {
    html(byId('dips'), 'p', {class: 'note'}, 'No ticked tracker has results of '
      + `${viewer.sequence} under ${chosen.protocol}.`);
  }
  for (const dip of dipsShown().slice(0, 8)) {
    const button = html(byId('dips'), 'button', {'data-frame': dip.frame},
      `${dip.label}: frame ${dip.frame}, IoU ${fixed(dip.overlap, 2)}`);
    button.style.borderColor = report.colours[report.labels.indexOf(dip.label)];
    button.addEventListener('click', () => openFrame(dip.frame));
  }
}

function openFrame(asked) {
  const nearest = viewer.embedded.reduce((best, frame) =>
    Math.abs(frame - asked) < Math.abs(best - asked) ? frame : best, viewer.embedded[0]);
  viewer.frame = nearest ?? asked;
  byId('frame-note').textContent = nearest === undefined
    ? 'The page holds no images of this sequence; boxes are drawn on a blank one of its size.'
    : nearest === asked ? '' : `The page holds no image of frame ${asked}; `
      + `${nearest} is the nearest that it holds.`;
  showSequence();
}

function step(direction) {
  const last = viewer.tracks.truth.length - 1;
  if (!viewer.embedded.length) {
    openFrame(Math.min(last, Math.max(0, viewer.frame + direction)));
    return;
  }
  const place = viewer.embedded.indexOf(viewer.frame) + direction;
  openFrame(viewer.embedded[Math.min(viewer.embedded.length - 1, Math.max(0, place))]);
}

function showSequence() {
  if (!viewer.tracks) return;
  showTrials();
  showOverlap();
  showDips();
  showFrame();
}

function showFrame() {
  const frame = viewer.frame;
  const [width, height] = viewer.tracks.size;
  const picture = byId('frame');
  picture.replaceChildren();
  picture.setAttribute('viewBox', `0 0 ${width} ${height}`);
  if (viewer.images[frame]) {
    node(picture, 'image', {width, height, href: `data:image/jpeg;base64,${viewer.images[frame]}`,
      preserveAspectRatio: 'none'});
  }
  byId('frame-number').textContent = `frame ${frame} of 0 to ${viewer.tracks.truth.length - 1}`;
  const selected = byId('selected');
  selected.setAttribute('x1', viewer.place(frame));
  selected.setAttribute('x2', viewer.place(frame));
  const rows = document.querySelector('#frame-values tbody');
  rows.replaceChildren();
  const truth = viewer.tracks.truth[frame];
  const corners = (viewer.tracks.polygons ?? [])[frame];
  if (corners) node(picture, 'polygon', {class: 'truth', points: corners.join(' ')});
  drawBox(picture, truth, '#fff', 'ground truth');
  valueRow(rows, 'ground truth', '#fff', '', '', truth ? '' : 'absent');
  const tracks = runs();
  for (const label of report.labels.filter(name => name in tracks)) {
    const run = tracks[label];
    const colour = report.colours[report.labels.indexOf(label)];
    drawBox(picture, run.boxes[frame], colour, label, !run.present[frame]);
    valueRow(rows, label, colour, fixed(run.overlaps[frame], 2), fixed(run.scores[frame], 2),
      run.boxes[frame] === null ? 'not run' : run.present[frame] ? '' : 'says it is absent');
  }
}

function drawBox(picture, box, colour, label, dashed = false) {
  if (!box) return;
  const [x, y, width, height] = box;
  const place = {x, y, width: Math.max(0, width), height: Math.max(0, height)};
  node(picture, 'rect', {class: 'halo', ...place});
  const drawn = node(picture, 'rect', {class: 'box', stroke: colour, 'data-tracker': label,
    ...place, 'stroke-dasharray': dashed ? '5 4' : ''});
  node(drawn, 'title', {}, label);
}

function valueRow(rows, label, colour, overlap, score, remark) {
  const row = html(rows, 'tr');
  const head = html(row, 'th', {scope: 'row'});
  const key = node(head, 'svg', {class: 'swatch', viewBox: '0 0 22 8'});
  node(key, 'rect', {x: 5, y: 0, width: 12, height: 8, fill: colour, stroke: '#888'});
  head.append(label);
  for (const text of [overlap, score, remark]) html(row, 'td', {}, text);
}

function fixed(value, digits) {
  return value === null || value === undefined ? '-' : value.toFixed(digits);
}
