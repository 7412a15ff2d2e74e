// The filter.

function options(select, names, all) {
  select.replaceChildren(
    make('option', { value: '' }, all),
    ...names.map((name, index) => make('option', { value: index }, name)),
  );
}

function showFilters() {
  for (const key of ['node', 'flow', 'fault']) part[key].value = view[key] === null ? '' : view[key];
  part.clear.disabled =
    view.node === null && view.flow === null && view.fault === null && view.search === '';
  const items = data.items.filter(itemMatches);
  const events = items.reduce((all, item) => all + item.events.filter(eventMatches).length, 0);
  const kept = data.items.reduce((all, item) => all + item.events.length, 0);
  fill(
    part.shown,
    `Shown: ${grouped(items.length)} of ${counted(data.items.length, 'kept item')}, ${grouped(events)} of ${counted(kept, 'kept event')}.`,
    ...barsSaid(),
  );
}

// Which of all events the bars are, where they are not all.
function barsSaid() {
  const only = restriction();
  const said = [];
  if (view.node !== null || only.length)
    said.push(
      ` The bars are the ${grouped(sum(counts(view.node, 'events')))} of ${counted(data.eventsAll, 'event')}`,
      ...(view.node === null ? [] : [' at ', [data.nodes[view.node]]]),
      '.',
    );
  if (only.length) said.push(' Bars, rows and topology show only ', ...only, '.');
  else if (view.flow !== null || view.fault !== null)
    said.push(' The bars and the counts in the topology are not filtered by flow or fault.');
  return said;
}

function setFilter(key, value) {
  view[key] = value;
  shownItems = PAGE;
  settle();
  render();
  remember();
}

// After a change of the filter the current event is one that the filter lets through, the nearest before; where
// none was let through until now, the last that had happened at the instant.
function settle() {
  if (view.item === null) return;
  const events = data.items[view.item].events;
  const all = steps();
  const passed = (index) => (view.step === null ? events[index][0] <= view.time : index <= view.step);
  const before = all.filter(passed);
  if (before.length) view.step = before[before.length - 1];
  else if (view.step !== null) view.step = all.length ? all[0] : null;
}
