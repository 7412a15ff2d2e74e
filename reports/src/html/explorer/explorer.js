// The trace explorer. Its data is the JSON element beside it, its topology the SVG that stands in the page
// already; what the user does changes `view`, and `render` shows it. Names are shown as text only.
(function () {
  'use strict';

  const root = document.currentScript.closest('.explorer');
  const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const part = {};
  for (const element of root.querySelectorAll('[data-part]')) part[element.dataset.part] = element;

  const SVG = 'http://www.w3.org/2000/svg';
  const PAGE = 200;
  const ARROW = '\u2192';
  const still = window.matchMedia('(prefers-reduced-motion: reduce)');

  const view = { time: data.start, item: null, step: null, node: null, flow: null, fault: null, search: '' };
  // Where the axis ends: after the last bin in which anything happens to an item, or a fault begins.
  const bins = lastBin();
  const end = data.start + data.step * bins;
  let shownItems = PAGE;
  let playing = null;
  let moving = null;
  let remembering = null;

  function lastBin() {
    let last = 1;
    for (const row of data.activity.concat(data.traffic))
      row.count.forEach((count, bin) => {
        if (count) last = Math.max(last, bin + 1);
      });
    for (const fault of data.faults)
      for (const [from] of fault.windows) last = Math.max(last, Math.ceil((from - data.start) / data.step));
    return Math.min(data.bins, last + 1);
  }

  // ---- Words ----------------------------------------------------------------------------------------------

  function grouped(number) {
    return String(number).replace(/\B(?=(\d{3})+$)/g, ',');
  }

  function counted(number, thing) {
    return `${grouped(number)} ${thing}${number === 1 ? '' : 's'}`;
  }

  function trimmed(value, digits) {
    return String(Number(value.toFixed(digits)));
  }

  // How long: `412 us`, `8.5 ms`, `12.4 s`, `18.5 min`, `2 h 5 min`; as everywhere in the report.
  function span(seconds) {
    if (seconds < 5e-7) return '0 s';
    if (seconds < 0.0009995) return `${Math.round(seconds * 1e6)} us`;
    if (seconds < 0.00995) return `${trimmed(seconds * 1e3, 1)} ms`;
    if (seconds < 0.9995) return `${Math.round(seconds * 1e3)} ms`;
    if (seconds < 119.95) return `${trimmed(seconds, 1)} s`;
    if (seconds < 7197) return `${trimmed(seconds / 60, 1)} min`;
    const minutes = Math.round(seconds / 60);
    return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
  }

  // When, to so many digits of a second: `4.123 s`, `4 min 5.123 s`, `1 h 2 min 3.000 s`.
  function instant(seconds, digits = 3) {
    const unit = 10 ** digits;
    const whole = Math.round(Math.abs(seconds) * unit);
    const hours = Math.floor(whole / unit / 3600);
    const minutes = Math.floor(whole / unit / 60) % 60;
    const rest = ((whole / unit) % 60).toFixed(digits);
    const parts = [hours ? `${hours} h` : '', hours || minutes ? `${minutes} min` : '', `${rest} s`];
    return (seconds < 0 && whole > 0 ? '-' : '') + parts.filter(Boolean).join(' ');
  }

  // A round instant, for the axis: `30 s`, `5 min`, `1 h 30 min`.
  function tick(seconds) {
    const s = Math.abs(seconds);
    const parts = [
      [Math.floor(s / 3600), 'h'],
      [Math.floor(s / 60) % 60, 'min'],
      [Number((s % 60).toFixed(3)), 's'],
    ];
    const told = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`);
    return told.length ? (seconds < 0 ? '-' : '') + told.join(' ') : '0 s';
  }

  // How fine an instant of a bin is told.
  const fine = data.step >= 1 ? 0 : data.step >= 0.1 ? 1 : 3;

  // ---- Elements -------------------------------------------------------------------------------------------

  // An element with attributes; a child that is a string is text, an array one name, kept apart from what is
  // around it.
  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
    fill(element, ...children);
    return element;
  }

  function fill(element, ...children) {
    element.replaceChildren(...children.filter((child) => child !== '' && child != null).map(child));
  }

  function child(content) {
    if (!Array.isArray(content)) return content;
    const name = document.createElement('bdi');
    name.textContent = content[0];
    return name;
  }

  function draw(tag, attributes, text) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function flag(element, name, on) {
    if (on) element.setAttribute(name, '');
    else element.removeAttribute(name);
  }

  // Names with commas between them.
  function listed(names) {
    return names.flatMap((name, index) => (index ? [', ', [name]] : [[name]]));
  }

  // ---- What is where --------------------------------------------------------------------------------------

  function binOf(time) {
    return Math.max(0, Math.min(bins - 1, Math.floor((time - data.start) / data.step)));
  }

  function binStart(bin) {
    return data.start + bin * data.step;
  }

  function sum(counts) {
    return counts.reduce((all, count) => all + count, 0);
  }

  // The events of a node in each bin, or those of all nodes.
  function counts(node, key) {
    const all = new Array(data.bins).fill(0);
    for (const row of data.activity) {
      if (node === null || row.node === node)
        row[key].forEach((count, bin) => {
          all[bin] += count;
        });
    }
    return all;
  }

  function nodeOf(event) {
    return data.processes[event[1]][1];
  }

  function eventMatches(event) {
    const atNode = view.node === null || nodeOf(event) === view.node || event[3] === view.node;
    return atNode && (view.fault === null || event[4].includes(view.fault));
  }

  function itemMatches(item) {
    return (view.flow === null || item.flow === view.flow) && item.events.some(eventMatches);
  }

  // The positions of the events of the chosen item that the filter lets through.
  function steps() {
    if (view.item === null) return [];
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

  // ---- How the nodes are ----------------------------------------------------------------------------------

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

  // ---- The time axis --------------------------------------------------------------------------------------

  const AXIS = { gutter: 0, width: 0, top: 8, bars: 72, lane: 17 };
  const TICKS = [
    0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400,
  ];

  function x(time) {
    return AXIS.gutter + ((time - data.start) / (end - data.start)) * (AXIS.width - AXIS.gutter - 8);
  }

  function timeAt(clientX) {
    const box = part.time.getBoundingClientRect();
    const share = (clientX - box.left - AXIS.gutter) / (AXIS.width - AXIS.gutter - 8);
    return data.start + Math.max(0, Math.min(0.999999, share)) * (end - data.start);
  }

  // The outline of a row of bars.
  function bars(counts, most, height, top) {
    let path = `M${x(data.start).toFixed(1)} ${top + height}`;
    counts.slice(0, bins).forEach((count, bin) => {
      const y = top + height - (most ? Math.max(count ? 1 : 0, (count / most) * height) : 0);
      path += `V${y.toFixed(1)}H${x(binStart(bin + 1)).toFixed(1)}`;
    });
    return `${path}V${top + height}Z`;
  }

  function elide(text, room) {
    const most = Math.max(3, Math.floor(room / 6.6));
    return text.length > most ? `${text.slice(0, most - 1)}\u2026` : text;
  }

  function drawAxis(svg, bottom) {
    const room = (AXIS.width - AXIS.gutter) / 84;
    const step = TICKS.find((size) => (end - data.start) / size <= room) || TICKS[TICKS.length - 1];
    for (let time = Math.ceil(data.start / step) * step; time <= end; time += step) {
      svg.append(draw('path', { class: 'x-tick', d: `M${x(time)} ${AXIS.top}V${bottom + 4}` }));
      const anchor = x(time) > AXIS.width - 30 ? 'end' : 'middle';
      svg.append(
        draw(
          'text',
          { x: x(time), y: bottom + 16, 'text-anchor': anchor },
          tick(Math.round(time * 1000) / 1000),
        ),
      );
    }
  }

  function drawFaults(svg, bottom) {
    faultLanes().forEach((fault, row) => {
      const top = bottom + 22 + row * AXIS.lane;
      const lane = draw('g', { class: 'x-fault' });
      flag(lane, 'data-dim', view.fault !== null && data.faults[view.fault] !== fault);
      lane.append(draw('title', {}, `${fault.name}: ${fault.about}`));
      lane.append(
        draw(
          'text',
          { x: AXIS.gutter - 6, y: top + 12, 'text-anchor': 'end' },
          elide(fault.name, AXIS.gutter - 8),
        ),
      );
      for (const [from, to] of fault.windows) {
        const left = x(Math.max(from, data.start));
        const width = Math.max(2, x(Math.min(to, end)) - left);
        lane.append(draw('rect', { class: 'x-window', x: left, y: top + 3, width, height: AXIS.lane - 6 }));
      }
      svg.append(lane);
    });
  }

  // What is shaded behind the bars: windows of faults that are neither all of the run nor too short to be seen.
  function drawShades(svg, bottom) {
    for (const fault of faultLanes()) {
      if (view.fault !== null && data.faults[view.fault] !== fault) continue;
      for (const [from, to] of fault.windows) {
        const left = x(Math.max(from, data.start));
        const width = x(Math.min(to, end)) - left;
        if (width < 4 || width > 0.6 * (AXIS.width - AXIS.gutter)) continue;
        svg.append(
          draw('rect', { class: 'x-shade', x: left, y: AXIS.top, width, height: bottom - AXIS.top }),
        );
      }
    }
  }

  function faultLanes() {
    return data.faults.filter((fault) => fault.windows.length);
  }

  function drawTime() {
    AXIS.width = Math.max(240, part.time.clientWidth);
    AXIS.gutter = AXIS.width < 600 ? 84 : 132;
    const bottom = AXIS.top + AXIS.bars;
    const height = bottom + 22 + faultLanes().length * AXIS.lane;
    const svg = draw('svg', { width: AXIS.width, height, 'aria-hidden': 'true' });
    const all = counts(view.node, 'count');
    const most = Math.max(...all, 1);
    drawShades(svg, bottom);
    drawFaults(svg, bottom);
    svg.append(draw('path', { class: 'x-bars', d: bars(all, most, AXIS.bars, AXIS.top) }));
    svg.append(
      draw('path', { class: 'x-touched', d: bars(counts(view.node, 'touched'), most, AXIS.bars, AXIS.top) }),
    );
    drawAxis(svg, bottom);
    const label = (y, text) => draw('text', { x: AXIS.gutter - 6, y, 'text-anchor': 'end' }, text);
    svg.append(
      label(AXIS.top + 9, grouped(most)),
      label(AXIS.top + 22, 'events'),
      label(AXIS.top + 35, 'in a bin'),
      label(bottom, '0'),
    );
    svg.append(draw('path', { class: 'x-cursor', 'data-cursor': '' }));
    svg.dataset.height = height;
    part.time.replaceChildren(svg);
    drawCursor();
  }

  function drawCursor() {
    const svg = part.time.firstChild;
    const at = x(view.time).toFixed(1);
    svg
      .querySelector('[data-cursor]')
      .setAttribute('d', `M${at} 0V${svg.dataset.height}M${at - 5} 0H${Number(at) + 5}L${at} 7Z`);
    const bin = binOf(view.time);
    const active = activeFaults(view.time).map((fault) => fault.name);
    const told = `${instant(view.time, fine)}: ${counted(counts(view.node, 'count')[bin], 'event')}`;
    part.time.setAttribute('aria-valuemin', data.start);
    part.time.setAttribute('aria-valuemax', end);
    part.time.setAttribute('aria-valuenow', view.time);
    part.time.setAttribute('aria-valuetext', active.length ? `${told}; faults: ${active.join(', ')}` : told);
  }

  // ---- Each node and each connection ----------------------------------------------------------------------

  function rowsData() {
    const nodes = data.activity.map((row) => ({
      node: row.node,
      name: [[data.nodes[row.node]]],
      count: row.count,
      thing: 'event',
    }));
    const links = data.traffic.map((row) => ({
      name: [[data.nodes[row.from]], ` ${ARROW} `, [data.nodes[row.to]]],
      count: row.count,
      thing: 'message',
    }));
    return nodes.concat(links);
  }

  function drawRow(row) {
    const most = Math.max(...row.count);
    const width = 600;
    const points = row.count
      .slice(0, bins)
      .map(
        (count, bin) =>
          `V${(22 - (most ? Math.max(count ? 1 : 0, (count / most) * 20) : 0)).toFixed(1)}H${(((bin + 1) / bins) * width).toFixed(1)}`,
      );
    const svg = draw('svg', {
      viewBox: `0 0 ${width} 22`,
      preserveAspectRatio: 'none',
      'aria-hidden': 'true',
    });
    svg.append(draw('path', { class: 'x-bars', d: `M0 22${points.join('')}V22Z` }));
    svg.append(
      draw('path', { class: 'x-cursor', 'data-row-cursor': '', 'vector-effect': 'non-scaling-stroke' }),
    );
    const name =
      row.node === undefined
        ? make('span', {}, ...row.name)
        : make('button', { type: 'button', title: 'Filter by this node' }, ...row.name);
    if (row.node !== undefined)
      name.addEventListener('click', () => setFilter('node', view.node === row.node ? null : row.node));
    const total = sum(row.count);
    row.now = make('span', { class: 'x-of' });
    row.total = total;
    const about = `${counted(total, row.thing)}, at most ${grouped(most)} in a bin`;
    return make('div', { class: 'x-row', title: about }, name, svg, row.now);
  }

  let rows = null;

  function drawRows() {
    if (!part.details.open) return;
    if (!rows) {
      rows = rowsData();
      part.rows.replaceChildren(...rows.map(drawRow));
    }
    const bin = binOf(view.time);
    const at = ((bin + 0.5) / bins) * 600;
    for (const line of part.rows.querySelectorAll('[data-row-cursor]')) line.setAttribute('d', `M${at} 0V22`);
    for (const row of rows)
      row.now.textContent = `${grouped(row.count[bin])} of ${counted(row.total, row.thing)}`;
  }

  // ---- The map --------------------------------------------------------------------------------------------

  const nodeElements = new Map();
  const edgeElements = new Map();
  for (const element of part.map.querySelectorAll('[data-node]'))
    nodeElements.set(Number(element.dataset.node), element);
  const links = [...part.map.querySelectorAll('[data-edge]')].map(linkOf);
  const busiest = Math.max(1, ...links.map((link) => Math.max(...link.count)));

  // A connection of the picture, with the messages in each bin of all connections of the trace that it shows.
  function linkOf(element) {
    const keys = element.dataset.edge.split(' ');
    const shown = data.traffic.filter((row) => keys.includes(`${row.from}-${row.to}`));
    const count = new Array(data.bins).fill(0);
    for (const row of shown)
      row.count.forEach((messages, bin) => {
        count[bin] += messages;
      });
    for (const key of keys) edgeElements.set(key, element);
    return { element, count, label: part.map.querySelector(`[data-count="${element.dataset.edge}"]`) };
  }

  const message = draw('path', { class: 'x-message', d: 'M-9 -6H9V6H-9ZM-9 -6L0 2L9 -6' });
  const pointer = draw('path', { class: 'x-pointer', d: 'M-8 -11H8L0 -2Z' });
  part.map.querySelector('svg').append(pointer, message);

  function drawMap() {
    const bin = binOf(view.time);
    for (const row of data.activity) showActivity(row, bin);
    for (const link of links) showTraffic(link, bin);
    for (const [node, element] of nodeElements) showCondition(node, element);
  }

  function showActivity(row, bin) {
    const element = nodeElements.get(row.node);
    const line = element && element.querySelector('.kind');
    if (line) line.textContent = counted(row.count[bin], 'event');
  }

  function showTraffic(link, bin) {
    const count = link.count[bin];
    link.element.querySelector('.line').style.strokeWidth = count
      ? (1.25 + 5 * Math.sqrt(count / busiest)).toFixed(2)
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
    for (const { element } of links) {
      const keys = element.dataset.edge.split(' ');
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

  // ---- What is said about the instant and the event -------------------------------------------------------

  function sayInstant() {
    const bin = binOf(view.time);
    fill(
      part.instant,
      `At ${instant(view.time, currentEvent() && currentEvent()[0] === view.time ? 3 : fine)}`,
    );
    const messages = data.traffic.reduce((all, row) => all + row.count[bin], 0);
    const said = [
      `In the bin of ${span(data.step)} that begins at ${instant(binStart(bin), fine)}: ${counted(counts(null, 'count')[bin], 'event')}, ${counted(messages, 'message')} between nodes. `,
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

  // ---- Lists ----------------------------------------------------------------------------------------------

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

  // ---- Filters --------------------------------------------------------------------------------------------

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

  // ---- Choosing -------------------------------------------------------------------------------------------

  function chooseTime(time) {
    view.time = Math.max(data.start, Math.min(end - data.step * 1e-6, time));
    if (view.item !== null) {
      const events = data.items[view.item].events;
      const before = steps().filter((index) => events[index][0] <= view.time);
      view.step = before.length ? before[before.length - 1] : null;
    }
    renderInstant();
    remember();
  }

  function chooseItem(index) {
    stop();
    view.item = index;
    view.step = steps().length ? steps()[0] : null;
    if (currentEvent()) view.time = currentEvent()[0];
    showEvents();
    renderInstant();
    markItem();
    remember();
  }

  function chooseStep(index) {
    if (index === undefined) return;
    view.step = index;
    view.time = currentEvent()[0];
    renderInstant();
    remember();
  }

  // Looks at the run without an item.
  function leave() {
    view.item = view.step = null;
    showEvents();
    renderInstant();
    markItem();
    remember();
  }

  // Goes so many steps on or back, or moves the instant where there is no item.
  function go(by) {
    if (view.item === null) {
      chooseTime(binStart(binOf(view.time) + by) + data.step / 2);
      return;
    }
    const all = steps();
    const at = view.step === null ? -1 : all.indexOf(view.step);
    chooseStep(all[Math.max(0, Math.min(all.length - 1, at + by))]);
  }

  function goTo(last) {
    if (view.item === null) chooseTime(last ? end : data.start);
    else chooseStep(last ? steps()[steps().length - 1] : steps()[0]);
  }

  function play() {
    if (playing) {
      stop();
      return;
    }
    const all = steps();
    if (view.step === all[all.length - 1]) goTo(false);
    part.play.textContent = 'Pause';
    part.play.setAttribute('aria-pressed', 'true');
    playing = setInterval(() => {
      if (view.step === all[all.length - 1]) stop();
      else go(1);
    }, 1000);
  }

  function stop() {
    clearInterval(playing);
    playing = null;
    part.play.textContent = 'Play';
    part.play.setAttribute('aria-pressed', 'false');
  }

  // ---- Links ----------------------------------------------------------------------------------------------

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

  // ---- All of it ------------------------------------------------------------------------------------------

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
      `Each of ${counted(data.activity.length, 'node')} and ${counted(data.traffic.length, 'connection')} over time`,
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
  sayKept();
  sayCut();
  listen();
  const linked = restore();
  if (!linked) begin();
  render();
  if (linked) root.scrollIntoView();
})();
