// The time axis: bars of all events, faults, and the chosen instant.

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
  const all = counts(view.node, 'events');
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
  const told = `${instant(view.time, fine)}: ${counted(counts(view.node, 'events')[bin], 'event')}`;
  part.time.setAttribute('aria-valuemin', data.start);
  part.time.setAttribute('aria-valuemax', end);
  part.time.setAttribute('aria-valuenow', view.time);
  part.time.setAttribute('aria-valuetext', active.length ? `${told}; faults: ${active.join(', ')}` : told);
}
