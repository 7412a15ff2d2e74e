// The address: what is looked at can be linked.

function link() {
  const said = [];
  const add = (key, value) => said.push(`${key}=${encodeURIComponent(value)}`);
  if (view.item !== null) add('item', data.items[view.item].name);
  if (view.item !== null && view.step !== null) add('step', view.step + 1);
  if (view.item === null || view.step === null) add('t', Number(view.time.toFixed(3)));
  if (view.node !== null) add('node', data.nodes[view.node]);
  if (view.flow !== null) add('flow', data.flows[view.flow]);
  if (view.fault !== null) add('fault', data.faults[view.fault].name);
  return `#${said.join('&')}`;
}

// Writes the view into the address, once it stays as it is for a moment: browsers allow that only so often.
function remember() {
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    try {
      history.replaceState(null, '', link());
    } catch (_) {
      // A page that may not change its address is a page without links to an instant.
    }
  }, 250);
}

// Reads the address; true if it says something about the explorer.
function restore() {
  const said = new URLSearchParams(location.hash.slice(1).replace(/\+/g, '%2B'));
  const position = (names, key) => (names.includes(said.get(key)) ? names.indexOf(said.get(key)) : null);
  const item = data.items.findIndex((kept) => kept.name === said.get('item'));
  const time = said.get('t') === null ? NaN : Number(said.get('t'));
  if (item < 0 && !Number.isFinite(time)) return false;
  view.node = position(data.nodes, 'node');
  view.flow = position(data.flows, 'flow');
  view.fault = position(
    data.faults.map((fault) => fault.name),
    'fault',
  );
  view.item = item < 0 ? null : item;
  view.step =
    item < 0
      ? null
      : Math.max(1, Math.min(data.items[item].events.length, Number(said.get('step')) || 1)) - 1;
  settle();
  if (currentEvent()) view.time = currentEvent()[0];
  else if (Number.isFinite(time)) view.time = Math.max(data.start, Math.min(end - data.step * 1e-6, time));
  return true;
}
