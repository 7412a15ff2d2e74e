// The lists: items, and the events of the chosen one.

function showItems() {
  const found = foundItems();
  const kept = data.items.length;
  fill(
    part.found,
    `${grouped(found.length)} of ${counted(kept, 'kept item')} shown${found.length ? '' : '.'}`,
  );
  if (!found.length && view.search.trim())
    fill(
      part.found,
      `None of the ${counted(kept, 'kept item')} is that. To see another one: `,
      make('code', {}, command(view.search.trim())),
    );
  const list = found.slice(0, shownItems).map(({ item, index }) => itemElement(item, index));
  if (found.length > shownItems) list.push(make('li', {}, moreButton(found.length - shownItems)));
  part.items.replaceChildren(...list);
}

function itemElement(item, index) {
  const button = make(
    'button',
    { type: 'button' },
    [item.name],
    make('small', {}, ` key ${item.key}, ${counted(item.events.length, 'event')}`),
  );
  if (item.violates) button.append(make('small', { class: 'x-bad' }, ' violates ', [item.violates]));
  if (index === view.item) button.setAttribute('aria-current', 'true');
  button.dataset.item = index;
  return make('li', {}, button);
}

function moreButton(left) {
  const button = make(
    'button',
    { type: 'button', class: 'x-more' },
    `Show ${grouped(Math.min(left, PAGE))} more of ${grouped(left)}`,
  );
  button.addEventListener('click', () => {
    shownItems += PAGE;
    showItems();
  });
  return button;
}

function showEvents() {
  const shown = steps();
  if (view.item === null) {
    fill(part.chosen, 'Events of an item');
    fill(part.matching, 'No item is chosen.');
    part.events.replaceChildren();
    return;
  }
  const item = data.items[view.item];
  fill(part.chosen, 'Events of ', [item.name]);
  const violates = item.violates ? ['. It violates ', [item.violates]] : [];
  fill(
    part.matching,
    `${grouped(shown.length)} of ${counted(item.events.length, 'event')} shown`,
    ...violates,
    '.',
  );
  part.events.replaceChildren(...shown.map((index) => eventElement(item.events, index)));
}

function eventElement(events, index) {
  const event = events[index];
  const since = index ? `+${span(event[0] - events[index - 1][0])}` : '';
  const where = make('span', { class: 'x-where' }, [data.processes[event[1]][0]]);
  const when = make('span', { class: 'x-when' }, instant(event[0]), make('small', {}, since));
  const button = make(
    'button',
    { type: 'button' },
    when,
    make('span', { class: 'x-what' }, where, ' ', ...happened(event)),
  );
  button.dataset.step = index;
  return make('li', { value: index + 1 }, button);
}

function markEvent() {
  for (const button of part.events.querySelectorAll('button')) {
    if (Number(button.dataset.step) !== view.step) button.removeAttribute('aria-current');
    else {
      button.setAttribute('aria-current', 'step');
      reveal(part.events, button.parentElement);
    }
  }
}

function markItem() {
  for (const button of part.items.querySelectorAll('button[data-item]')) {
    if (Number(button.dataset.item) === view.item) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }
}

// Scrolls a list to one of its elements, and nothing else.
function reveal(list, element) {
  const top = element.offsetTop;
  if (top < list.scrollTop) list.scrollTop = top - 8;
  else if (top + element.offsetHeight > list.scrollTop + list.clientHeight)
    list.scrollTop = top + element.offsetHeight - list.clientHeight + 8;
}
