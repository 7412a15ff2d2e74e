// What is said about the instant and the event.

function sayInstant() {
  const bin = binOf(view.time);
  fill(
    part.instant,
    `At ${instant(view.time, currentEvent() && currentEvent()[0] === view.time ? 3 : fine)}`,
  );
  const events = counts(null, 'events')[bin];
  const messages = sum([...numbers.messages.values()].map((count) => count[bin]));
  const only = restriction();
  const said = [
    `In the bin of ${span(data.step)} that begins at ${instant(binStart(bin), fine)}: ${counted(events, 'event')}, ${counted(messages, 'message')} between nodes`,
    ...(only.length ? ['; only ', ...only] : []),
    '. ',
  ];
  const active = activeFaults(view.time).map((fault) => fault.name);
  said.push(
    active.length ? 'Faults at this instant: ' : 'No fault window at this instant',
    ...listed(active),
    '. ',
  );
  const ill = data.nodes
    .map((name, node) => ({ name, ...condition(node, view.time) }))
    .filter(({ lanes }) => lanes.length);
  if (ill.length)
    said.push(
      'Not as usual: ',
      ...ill.flatMap(({ name, words }, index) => [index ? ', ' : '', [name], ` (${words})`]),
      '.',
    );
  fill(part.about, ...said);
}

function sayEvent() {
  const event = currentEvent();
  if (view.item === null) fill(part.now, 'Choose an item below to see it travel.');
  else if (!event)
    fill(
      part.now,
      [data.items[view.item].name],
      steps().length
        ? ': nothing has happened to it yet at this instant.'
        : ': no event of it matches the filter.',
    );
  else fill(part.now, ...eventSentence(event));
  const at = steps().indexOf(view.step);
  const none = steps().length === 0;
  part.first.disabled = part.back.disabled = none || at <= 0;
  part.forward.disabled = part.last.disabled = none || at === steps().length - 1;
  part.play.disabled = none;
  part.leave.disabled = view.item === null;
}

function eventSentence(event) {
  const item = data.items[view.item];
  const place = [
    `Event ${view.step + 1} of ${item.events.length} of `,
    [item.name],
    `, ${instant(event[0])}, at `,
    [data.processes[event[1]][0]],
    ': ',
  ];
  return place.concat(happened(event));
}

function happened(event) {
  const words = data.words[event[2]];
  const said = [[words]];
  if (event[3] !== null && !words.includes(data.nodes[event[3]]))
    said.push(` ${ARROW} `, [data.nodes[event[3]]]);
  if (event[4].length)
    said.push('; touched by ', ...listed(event[4].map((fault) => data.faults[fault].name)));
  return said;
}
