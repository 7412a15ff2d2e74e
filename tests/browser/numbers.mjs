// What a trace says in numbers, all of it or only of a flow and a fault, and what a page shows of that.
import assert from 'node:assert/strict';

export function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ',');
}

export const total = (series) => series.reduce((sum, count) => sum + count, 0);

// How many there are in each bin, in rows: all, or those of a flow, or those that a fault touched, by name; `what`
// is `count`, or `touched`: by any fault.
export function series(trace, rows, { flow, fault } = {}, what = 'count') {
  const all = new Array(trace.bins).fill(0);
  for (const row of rows.filter((one) => flow === undefined || trace.flows[one.flow] === flow)) {
    const by = (row.by || []).find((one) => trace.faults[one.fault] === fault);
    const [first, count] = fault === undefined ? [0, row[what] || []] : by ? [by.first, by.count] : [0, []];
    count.forEach((more, index) => {
      all[first + index] += more;
    });
  }
  return all;
}

export function eventsOf(trace, name) {
  return trace.activity.filter((row) => trace.nodes[row.node] === name);
}

function messagesOf(trace, keys) {
  return trace.traffic.filter((row) => keys.includes(`${row.from}-${row.to}`));
}

// The nodes and the connections of which a trace has numbers.
export function counted(trace) {
  return {
    nodes: [...new Set(trace.activity.map((row) => row.node))],
    connections: [...new Set(trace.traffic.map((row) => `${row.from}-${row.to}`))],
  };
}

const numberIn = (text) => Number(text.replace(/[^\d]/g, ''));

// The heights of the bars, as shares of the highest; how many events that one stands for.
async function barsOf(page) {
  const shares = (name) =>
    page.locator(`.x-time .${name}`).evaluate((path) => {
      const [, ground] = path.getAttribute('d').match(/^M\S+ ([\d.]+)/);
      return [...path.getAttribute('d').matchAll(/V([\d.]+)H/g)].map(([, y]) => (ground - y) / 72);
    });
  const most = numberIn(await page.locator('.x-time text', { hasText: /^[\d,]+$/ }).first().textContent());
  return { most, all: await shares('x-bars'), touched: await shares('x-touched') };
}

function assertBars(drawn, counts, most, what) {
  drawn.forEach((share, bin) => {
    const meant = counts[bin] ? Math.max(1 / 72, counts[bin] / most) : 0;
    assert.ok(Math.abs(share - meant) < 0.002, `${what}: bin ${bin} is ${share}, not ${meant}`);
  });
}

// The bars are of these events, of all nodes.
export async function barsShow(page, trace, filter) {
  const [what, bars] = [JSON.stringify(filter), await barsOf(page)];
  const all = series(trace, trace.activity, filter);
  const most = Math.max(1, ...all);
  assert.equal(bars.most, most, `${what}: the highest bar`);
  assert.ok(bars.all.length > trace.bins - 3, `${what}: a bar for each bin`);
  assertBars(bars.all, all, most, `${what}: all`);
  assertBars(bars.touched, series(trace, trace.activity, filter, 'touched'), most, `${what}: touched`);
}

// Every node and every connection of the topology has the numbers of this bin.
export async function topologyShows(page, trace, filter, bin) {
  const what = JSON.stringify(filter);
  for (const node of counted(trace).nodes) {
    const shown = await page.locator(`.x-topology [data-node="${node}"] .kind`).textContent();
    const meant = series(trace, eventsOf(trace, trace.nodes[node]), filter)[bin];
    assert.equal(shown, `${grouped(meant)} event${meant === 1 ? '' : 's'}`, `${what}: ${trace.nodes[node]}`);
  }
  for (const edge of await page.locator('.x-topology [data-edge]').all()) {
    const keys = await edge.getAttribute('data-edge');
    const meant = series(trace, messagesOf(trace, keys.split(' ')), filter)[bin];
    const label = page.locator(`.x-topology [data-count="${keys}"]`);
    assert.equal(await label.textContent(), meant ? grouped(meant) : '', `${what}: ${keys}`);
    assert.equal((await edge.getAttribute('data-busy')) !== null, meant > 0, `${what}: ${keys} is busy`);
  }
}

// Every row of the list of nodes and connections has these numbers.
export async function rowsShow(page, trace, filter, bin) {
  const { nodes, connections } = counted(trace);
  const of = (series, thing) =>
    `${grouped(series[bin])} of ${grouped(total(series))} ${thing}${total(series) === 1 ? '' : 's'}`;
  const meant = [
    ...nodes.map((node) => of(series(trace, eventsOf(trace, trace.nodes[node]), filter), 'event')),
    ...connections.map((key) => of(series(trace, messagesOf(trace, [key]), filter), 'message')),
  ];
  assert.deepEqual(await page.locator('.x-row .x-of').allTextContents(), meant, JSON.stringify(filter));
}
