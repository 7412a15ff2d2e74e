// Each node and each connection over time.

function rowsData() {
  const nodes = data.activity.map((row) => ({
    node: row.node,
    name: [[data.nodes[row.node]]],
    count: row.count,
    thing: 'event',
  }));
  const links = data.traffic.map((row) => ({
    name: [[data.nodes[row.from]], ` ${ARROW} `, [data.nodes[row.to]]],
    count: row.count,
    thing: 'message',
  }));
  return nodes.concat(links);
}

function drawRow(row) {
  const most = Math.max(...row.count);
  const width = 600;
  const points = row.count
    .slice(0, bins)
    .map(
      (count, bin) =>
        `V${(22 - (most ? Math.max(count ? 1 : 0, (count / most) * 20) : 0)).toFixed(1)}H${(((bin + 1) / bins) * width).toFixed(1)}`,
    );
  const svg = draw('svg', {
    viewBox: `0 0 ${width} 22`,
    preserveAspectRatio: 'none',
    'aria-hidden': 'true',
  });
  svg.append(draw('path', { class: 'x-bars', d: `M0 22${points.join('')}V22Z` }));
  svg.append(
    draw('path', { class: 'x-cursor', 'data-row-cursor': '', 'vector-effect': 'non-scaling-stroke' }),
  );
  const name =
    row.node === undefined
      ? make('span', {}, ...row.name)
      : make('button', { type: 'button', title: 'Filter by this node' }, ...row.name);
  if (row.node !== undefined)
    name.addEventListener('click', () => setFilter('node', view.node === row.node ? null : row.node));
  const total = sum(row.count);
  row.now = make('span', { class: 'x-of' });
  row.total = total;
  const about = `${counted(total, row.thing)}, at most ${grouped(most)} in a bin`;
  return make('div', { class: 'x-row', title: about }, name, svg, row.now);
}

let rows = null;

function drawRows() {
  if (!part.details.open) return;
  if (!rows) {
    rows = rowsData();
    part.rows.replaceChildren(...rows.map(drawRow));
  }
  const bin = binOf(view.time);
  const at = ((bin + 0.5) / bins) * 600;
  for (const line of part.rows.querySelectorAll('[data-row-cursor]')) line.setAttribute('d', `M${at} 0V22`);
  for (const row of rows)
    row.now.textContent = `${grouped(row.count[bin])} of ${counted(row.total, row.thing)}`;
}
