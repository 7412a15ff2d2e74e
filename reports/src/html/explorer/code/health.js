// How the nodes are.

const STATES = { 'power-lost': 'power lost', open: 'breaker open', 'half-open': 'breaker half open' };

function lanesAt(node, time) {
  const at = [];
  for (const lane of data.lanes) {
    if (lane.node !== node) continue;
    const now = lane.spans.find(([from, to]) => from <= time && time < to);
    if (now) at.push({ name: lane.name, kind: lane.kind, state: now[2] });
  }
  return at;
}

function condition(node, time) {
  const lanes = lanesAt(node, time);
  const gone = lanes.filter((lane) => lane.kind === 'process');
  const doubted = lanes.filter((lane) => lane.kind !== 'process' && lane.kind !== 'action');
  const all = Math.max(data.sizes[node], gone.length);
  const worst = (gone[0] || doubted[0] || lanes[0] || { state: '' }).state;
  const word = STATES[worst] || worst;
  const some = gone.length && all > 1 ? `${gone.length} of ${all} ${word}` : word;
  const level = gone.length ? (gone.length < all ? 'part' : 'all') : doubted.length ? 'doubted' : '';
  return { level, words: some, lanes };
}
