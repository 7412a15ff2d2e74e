// All of it: drawn, listened to, begun.

function renderInstant() {
  drawCursor();
  drawRows();
  drawMap();
  showWay();
  sayInstant();
  sayEvent();
  markEvent();
}

function render() {
  recount();
  showFilters();
  drawTime();
  showItems();
  showEvents();
  renderInstant();
}

// The command that shows an item in full detail; what a shell would take for more than text is quoted.
function command(name) {
  const quoted = /^[\w .:/-]+$/.test(name) ? `"${name}"` : `'${name.replace(/'/g, "'\\''")}'`;
  return `${data.command} --report DIR --item ${quoted}`;
}

function sayKept() {
  const example = `${data.flows.length === 1 ? data.flows[0] : 'FLOW'} NUMBER`;
  const all = data.items.length === data.itemsAll;
  const kept = `${grouped(data.items.length)} of ${counted(data.itemsAll, 'item')} ${data.items.length === 1 ? 'is' : 'are'} kept in full detail${all ? '' : ', those that violate something first'}; the counts below hold all ${counted(data.eventsAll, 'event')}.`;
  fill(
    part.kept,
    kept,
    all ? '' : ' Another item in detail: ',
    all ? '' : make('code', {}, command(example)),
  );
  fill(
    part.summary,
    `Each of ${counted(numbers.events.size, 'node')} and ${counted(numbers.messages.size, 'connection')} over time`,
  );
}

// A document lists the first windows of a fault, and how many more there were.
function sayCut() {
  const cut = data.faults.filter((fault) => fault.more > 0);
  const more = (fault, index) => [`${index ? ', ' : ''}${counted(fault.more, 'later window')} of `, [fault.name]];
  if (cut.length) fill(part.cut, 'Not shown: ', ...cut.flatMap(more), '.');
}

const KEYS = {
  ArrowLeft: () => go(-1),
  ArrowRight: () => go(1),
  Home: () => goTo(false),
  End: () => goTo(true),
};

function onKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (part.time.contains(event.target) || event.target.closest('input, select, textarea, summary')) return;
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  stop();
  action();
}

function onTimeKey(event) {
  const by = {
    ArrowLeft: -1,
    ArrowDown: -1,
    ArrowRight: 1,
    ArrowUp: 1,
    PageDown: -10,
    PageUp: 10,
    Home: -bins,
    End: bins,
  }[event.key];
  if (by === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  stop();
  chooseTime(binStart(Math.max(0, Math.min(bins - 1, binOf(view.time) + by))) + data.step / 2);
}

function onPointer(event) {
  if (event.type === 'pointerdown') part.time.setPointerCapture(event.pointerId);
  else if (!part.time.hasPointerCapture(event.pointerId)) return;
  stop();
  chooseTime(timeAt(event.clientX));
}

function listen() {
  for (const key of ['node', 'flow', 'fault'])
    part[key].addEventListener('change', () =>
      setFilter(key, part[key].value === '' ? null : Number(part[key].value)),
    );
  part.clear.addEventListener('click', clearFilters);
  part.search.addEventListener('input', () => {
    view.search = part.search.value;
    shownItems = PAGE;
    showFilters();
    showItems();
  });
  part.items.addEventListener('click', (event) => {
    const button = event.target.closest('button[data-item]');
    if (button) chooseItem(Number(button.dataset.item));
  });
  part.events.addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (!button) return;
    stop();
    chooseStep(Number(button.dataset.step));
  });
  const press = (button, action) =>
    part[button].addEventListener('click', () => {
      stop();
      action();
    });
  press('first', () => goTo(false));
  press('back', () => go(-1));
  press('forward', () => go(1));
  press('last', () => goTo(true));
  press('leave', leave);
  part.play.addEventListener('click', play);
  part.details.addEventListener('toggle', drawRows);
  part.time.addEventListener('keydown', onTimeKey);
  for (const type of ['pointerdown', 'pointermove']) part.time.addEventListener(type, onPointer);
  root.addEventListener('keydown', onKey);
  window.addEventListener('hashchange', () => {
    if (restore()) {
      stop();
      render();
    }
  });
  new ResizeObserver(() => {
    if (part.time.clientWidth && part.time.clientWidth !== AXIS.width) drawTime();
  }).observe(part.time);
}

function clearFilters() {
  part.search.value = '';
  Object.assign(view, { node: null, flow: null, fault: null, search: '' });
  settle();
  render();
  remember();
}

// Where nothing else is asked for: the first item that violates something, else the first that a fault touched,
// else the first.
function begin() {
  const bad = data.items.findIndex((item) => item.violates);
  view.time = Math.max(data.start, Math.min(0, end - data.step));
  if (!data.items.length) return;
  const touched = data.items.findIndex((item) => item.events.some((event) => event[4].length));
  view.item = bad >= 0 ? bad : Math.max(0, touched);
  view.step = steps()[0];
  view.time = currentEvent()[0];
}

options(part.node, data.nodes, 'all');
options(part.flow, data.flows, 'all');
options(
  part.fault,
  data.faults.map((fault) => fault.name),
  'all',
);
listen();
const linked = restore();
if (!linked) begin();
render();
sayKept();
sayCut();
if (linked) root.scrollIntoView();
