// The topology at the chosen instant, with the way of the chosen item.

const nodeElements = new Map();
const edgeElements = new Map();
for (const element of part.map.querySelectorAll('[data-node]'))
  nodeElements.set(Number(element.dataset.node), element);
const links = [...part.map.querySelectorAll('[data-edge]')].map(linkOf);

// A connection of the picture, with the connections of the trace that it shows.
function linkOf(element) {
  const keys = element.dataset.edge.split(' ');
  for (const key of keys) edgeElements.set(key, element);
  return { element, keys, label: part.map.querySelector(`[data-count="${element.dataset.edge}"]`) };
}

const message = draw('path', { class: 'x-message', d: 'M-9 -6H9V6H-9ZM-9 -6L0 2L9 -6' });
const pointer = draw('path', { class: 'x-pointer', d: 'M-8 -11H8L0 -2Z' });
part.map.querySelector('svg').append(pointer, message);

function drawMap() {
  const bin = binOf(view.time);
  for (const [node, count] of numbers.events) showActivity(node, count[bin]);
  for (const link of links) showTraffic(link, bin);
  for (const [node, element] of nodeElements) showCondition(node, element);
}

function showActivity(node, events) {
  const element = nodeElements.get(node);
  const line = element && element.querySelector('.kind');
  if (line) line.textContent = counted(events, 'event');
}

function showTraffic(link, bin) {
  const count = link.count[bin];
  link.element.querySelector('.line').style.strokeWidth = count
    ? (1.25 + 5 * Math.sqrt(count / numbers.busiest)).toFixed(2)
    : '';
  flag(link.element, 'data-busy', count > 0);
  if (link.label) link.label.textContent = count ? grouped(count) : '';
}

function showCondition(node, element) {
  const { level, words } = condition(node, view.time);
  element.dataset.level = level;
  const status = element.querySelector('.status');
  if (status) status.textContent = words;
}

function showWay() {
  const been = new Set();
  const visited = new Set();
  const event = currentEvent();
  if (event) {
    for (const before of data.items[view.item].events.slice(0, view.step + 1)) {
      visited.add(nodeOf(before));
      if (before[3] !== null && before !== event) been.add(`${nodeOf(before)}-${before[3]}`);
    }
  }
  const live = event && event[3] !== null ? `${nodeOf(event)}-${event[3]}` : null;
  for (const { element, keys } of links) {
    flag(
      element,
      'data-been',
      keys.some((key) => been.has(key)),
    );
    flag(element, 'data-live', keys.includes(live));
  }
  for (const [node, element] of nodeElements) {
    flag(element, 'data-been', visited.has(node));
    flag(element, 'data-here', event !== null && nodeOf(event) === node);
  }
  showPointer(event);
  showMessage(live);
}

function boxOf(node) {
  const element = nodeElements.get(node);
  const shape = element && element.querySelector('.shape');
  return shape ? shape.getBBox() : null;
}

function showPointer(event) {
  const box = event && boxOf(nodeOf(event));
  pointer.style.display = box ? '' : 'none';
  if (!box) return;
  pointer.setAttribute('transform', `translate(${box.x + box.width / 2} ${box.y})`);
  scrollTo(box);
}

// Brings a place of the map into its window, and moves nothing else.
function scrollTo(box) {
  const svg = part.map.querySelector('svg');
  const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  const [left, right] = [box.x * scale - 60, (box.x + box.width) * scale + 60];
  if (left < part.map.scrollLeft) part.map.scrollLeft = left;
  else if (right > part.map.scrollLeft + part.map.clientWidth)
    part.map.scrollLeft = right - part.map.clientWidth;
}

function showMessage(live) {
  cancelAnimationFrame(moving);
  const element = live && edgeElements.get(live);
  message.style.display = element ? '' : 'none';
  if (!element) return;
  const line = element.querySelector('.line');
  const length = line.getTotalLength();
  const place = (share) => {
    const point = line.getPointAtLength(length * share);
    message.setAttribute('transform', `translate(${point.x} ${point.y})`);
  };
  if (still.matches) place(0.5);
  else travel(place);
}

function travel(place) {
  const began = performance.now();
  const frame = (now) => {
    const part = Math.min(1, Math.max(0, (now - began) / 450));
    place(0.5 * part * (2 - part));
    if (part < 1) moving = requestAnimationFrame(frame);
  };
  place(0);
  moving = requestAnimationFrame(frame);
}
