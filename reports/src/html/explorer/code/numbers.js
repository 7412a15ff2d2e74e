// What flow and fault let through, in numbers: of the events of each node and of the messages of each connection
// in each bin. Made anew whenever one of the two changes. Which node is chosen says only what the bars show.

let numbers = null;

function recount() {
  numbers = { events: new Map(), touched: new Map(), messages: new Map(), busiest: 1 };
  for (const row of data.activity) {
    addRow(numbers.events, row.node, row, row.count);
    addRow(numbers.touched, row.node, row, row.touched || []);
  }
  for (const row of data.traffic) addRow(numbers.messages, `${row.from}-${row.to}`, row, row.count);
  for (const link of links) {
    link.count = together(link.keys.map((key) => numbers.messages.get(key) || []));
    numbers.busiest = Math.max(numbers.busiest, ...link.count);
  }
}

// Adds what is let through of a row, all of which are so many, to the series of this key.
function addRow(all, key, row, count) {
  if (!all.has(key)) all.set(key, new Array(data.bins).fill(0));
  if (data.apart && view.flow !== null && row.flow !== view.flow) return;
  if (data.apart && view.fault !== null) addTouches(all.get(key), row);
  else addTo(all.get(key), 0, count);
}

function addTouches(series, row) {
  const touches = (row.by || []).find((one) => one.fault === view.fault);
  if (touches) addTo(series, touches.first, touches.count);
}

function addTo(series, first, count) {
  count.forEach((more, index) => {
    series[first + index] += more;
  });
}

function together(all) {
  const series = new Array(data.bins).fill(0);
  for (const one of all) addTo(series, 0, one);
  return series;
}

function sum(series) {
  return series.reduce((all, count) => all + count, 0);
}

// The events of a node in each bin, or those of all nodes; `what` is `events` or `touched`.
function counts(node, what) {
  return together(node === null ? [...numbers[what].values()] : [numbers[what].get(node) || []]);
}

// In words, which of all these are: `those of refunds that psp-slow touched`. Nothing if all of them are.
function restriction() {
  if (!data.apart || (view.flow === null && view.fault === null)) return [];
  const flow = view.flow === null ? [] : [' of ', [data.flows[view.flow]]];
  const fault = view.fault === null ? [] : [' that ', [data.faults[view.fault].name], ' touched'];
  return ['those', ...flow, ...fault];
}
