// What is chosen at the top of the page, and what depends on it.

const byId = id => document.getElementById(id);
const report = JSON.parse(byId('report').textContent);
const chosen = {protocol: report.protocols[0], trackers: new Set(report.labels)};

function showPlots() {
  for (const parent of document.querySelectorAll('[data-plots]')) {
    parent.replaceChildren();
    for (const plot of report.plots[parent.dataset.plots]) {
      drawPlot(parent, plot, chosen.trackers);
    }
  }
  showAttribute();
  if (report.speed) {
    byId('speed-plot').replaceChildren();
    drawPlot(byId('speed-plot'), report.speed, chosen.trackers);
  }
}

function showAttribute() {
  for (const parent of document.querySelectorAll('[data-attributes]')) {
    parent.replaceChildren();
    const choice = parent.closest('.part').querySelector('.attribute').selectedIndex;
    for (const plot of report.attributes[parent.dataset.attributes][choice]) {
      drawPlot(parent, plot, chosen.trackers);
    }
  }
}

function showParts() {
  for (const part of document.querySelectorAll('.part')) {
    part.hidden = part.dataset.protocol !== chosen.protocol;
  }
  for (const cell of document.querySelectorAll('[data-tracker]')) {
    const label = cell.dataset.tracker;
    cell.hidden = report.labels.includes(label) && !chosen.trackers.has(label);
  }
}

function sortBy(table, column) {
  const body = table.tBodies[0];
  const value = row => {
    const text = row.cells[column].textContent.trim();
    return text === '-' ? -Infinity : Number.isNaN(Number(text)) ? text : Number(text);
  };
  const rising = table.dataset.sorted === String(column);
  table.dataset.sorted = rising ? '' : column;
  const compare = (a, b) => a < b ? -1 : a > b ? 1 : 0;
  body.append(...[...body.rows].sort((a, b) =>
    (rising === (column > 0) ? 1 : -1) * compare(value(a), value(b))));
}

function listen() {
  byId('protocol').addEventListener('change', event => {
    chosen.protocol = event.target.value;
    showParts();
    showSequence();
  });
  byId('trackers').addEventListener('change', event => {
    chosen.trackers[event.target.checked ? 'add' : 'delete'](event.target.value);
    showParts();
    showPlots();
    showSequence();
  });
  for (const choice of document.querySelectorAll('.attribute')) {
    choice.addEventListener('change', showAttribute);
  }
  byId('sequence').addEventListener('change', event => openSequence(event.target.value));
  byId('trial').addEventListener('change', event => {
    viewer.trial = event.target.value;
    showSequence();
  });
  byId('back').addEventListener('click', () => step(-1));
  byId('on').addEventListener('click', () => step(1));
  byId('viewer').addEventListener('keydown', event => {
    if (event.key === 'ArrowLeft') step(-1);
    if (event.key === 'ArrowRight') step(1);
  });
  for (const table of document.querySelectorAll('.sortable')) {
    [...table.tHead.rows[0].cells].forEach((cell, column) =>
      cell.addEventListener('click', () => sortBy(table, column)));
  }
  for (const row of document.querySelectorAll('.sequences tbody tr')) {
    row.addEventListener('click', () => {
      openSequence(row.dataset.name);
      byId('over-time').scrollIntoView();
    });
  }
}

listen();
showParts();
showPlots();
openSequence(report.sequences[0]);
