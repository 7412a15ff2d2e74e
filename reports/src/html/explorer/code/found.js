// What is where: bins, and the items and events that the filter lets through.

function binOf(time) {
  return Math.max(0, Math.min(bins - 1, Math.floor((time - data.start) / data.step)));
}

function binStart(bin) {
  return data.start + bin * data.step;
}

function nodeOf(event) {
  return data.processes[event[1]][1];
}

function eventMatches(event) {
  const atNode = view.node === null || nodeOf(event) === view.node || event[3] === view.node;
  return atNode && (view.fault === null || event[4].includes(view.fault));
}

function flowMatches(item) {
  return view.flow === null || item.flow === view.flow;
}

function itemMatches(item) {
  return flowMatches(item) && item.events.some(eventMatches);
}

// The positions of the events of the chosen item that the filter lets through.
function steps() {
  if (view.item === null || !flowMatches(data.items[view.item])) return [];
  const events = data.items[view.item].events;
  return events.map((_, index) => index).filter((index) => eventMatches(events[index]));
}

function currentEvent() {
  return view.item === null || view.step === null ? null : data.items[view.item].events[view.step];
}

function haystack(item) {
  return `${item.name} key ${item.key} ${data.flows[item.flow]} ${item.violates || ''}`.toLowerCase();
}

function sought(item, words) {
  const text = haystack(item);
  return words.every((word) => text.includes(word));
}

// How well what is sought fits: a name or key that is exactly that comes first, then what violates something.
function rank(item, words) {
  const exact =
    words.length > 0 &&
    words.every((word) => `${item.name} ${item.key}`.toLowerCase().split(' ').includes(word));
  return (exact ? 0 : 2) + (item.violates ? 0 : 1);
}

function foundItems() {
  const words = view.search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = data.items.map((item, index) => ({ item, index }));
  return found
    .filter(({ item }) => itemMatches(item) && sought(item, words))
    .sort((a, b) => rank(a.item, words) - rank(b.item, words) || a.index - b.index);
}

function activeFaults(time) {
  return data.faults.filter((fault) => fault.windows.some(([from, to]) => from <= time && time < to));
}
