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
  const said = [
    `Shown: ${grouped(items.length)} of ${counted(data.items.length, 'kept item')}, ${grouped(events)} of ${counted(kept, 'kept event')}.`,
  ];
  if (view.node !== null)
    said.push(
      ` The bars are the ${grouped(sum(counts(view.node, 'count')))} of ${counted(data.eventsAll, 'event')} at `,
      [data.nodes[view.node]],
      '.',
    );
  if (view.flow !== null || view.fault !== null)
    said.push(' The bars and the counts in the topology are not filtered by flow or fault.');
  fill(part.shown, ...said);
}

function setFilter(key, value) {
  view[key] = value;
  shownItems = PAGE;
  settle();
  render();
  remember();
}

// After a change of the filter the current event is one that the filter lets through, the nearest before.
function settle() {
  if (view.item === null || view.step === null) return;
  const before = steps().filter((index) => index <= view.step);
  view.step = before.length ? before[before.length - 1] : steps().length ? steps()[0] : null;
}
