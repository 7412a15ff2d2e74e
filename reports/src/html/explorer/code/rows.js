// Each node and each connection over time.

const ROW = { width: 600, height: 22 };
let rows = null;
let rowsOf = null;

function rowsData() {
  const nodes = [...numbers.events.keys()].map((node) => ({
    node,
    name: [[data.nodes[node]]],
    count: () => numbers.events.get(node),
    thing: 'event',
  }));
  const links = [...numbers.messages.keys()].map((key) => ({
    name: key.split('-').flatMap((node, end) => [end ? ` ${ARROW} ` : '', [data.nodes[node]]]),
    count: () => numbers.messages.get(key),
    thing: 'message',
  }));
  return nodes.concat(links);
}

function makeRow(row) {
  const svg = draw('svg', {
    viewBox: `0 0 ${ROW.width} ${ROW.height}`,
    preserveAspectRatio: 'none',
    'aria-hidden': 'true',
  });
  row.bars = draw('path', { class: 'x-bars' });
  row.cursor = draw('path', { class: 'x-cursor', 'vector-effect': 'non-scaling-stroke' });
  svg.append(row.bars, row.cursor);
  row.now = make('span', { class: 'x-of' });
  row.element = make('div', { class: 'x-row' }, rowName(row), svg, row.now);
  return row.element;
}

function rowName(row) {
  if (row.node === undefined) return make('span', {}, ...row.name);
  const name = make('button', { type: 'button', title: 'Filter by this node' }, ...row.name);
  name.addEventListener('click', () => setFilter('node', view.node === row.node ? null : row.node));
  return name;
}

// The elements stay when the filter changes, so that none loses the focus.
function fillRow(row) {
  const count = row.count();
  const most = Math.max(...count);
  const points = count.slice(0, bins).map((messages, bin) => {
    const y = ROW.height - (most ? Math.max(messages ? 1 : 0, (messages / most) * 20) : 0);
    return `V${y.toFixed(1)}H${(((bin + 1) / bins) * ROW.width).toFixed(1)}`;
  });
  row.bars.setAttribute('d', `M0 ${ROW.height}${points.join('')}V${ROW.height}Z`);
  row.total = sum(count);
  row.element.title = `${counted(row.total, row.thing)}, at most ${grouped(most)} in a bin`;
}

function drawRows() {
  if (!part.details.open) return;
  if (!rows) {
    rows = rowsData();
    part.rows.replaceChildren(...rows.map(makeRow));
  }
  if (rowsOf !== numbers) rows.forEach(fillRow);
  rowsOf = numbers;
  const bin = binOf(view.time);
  const at = ((bin + 0.5) / bins) * ROW.width;
  for (const row of rows) {
    row.cursor.setAttribute('d', `M${at} 0V${ROW.height}`);
    row.now.textContent = `${grouped(row.count()[bin])} of ${counted(row.total, row.thing)}`;
  }
}
