// Opens pages in a browser as a reader would, and drives the explorer on the fixture's page.
//
//   node test.mjs --fixture PAGE --hostile PAGE --bare PAGE [--report PAGE]...
//
// `--fixture` is the page of fixture.json, `--hostile` that of the same run with hostile names, `--bare` that of
// the same run with counts only, `--report` any report with an explorer. CHROMIUM names the browser; default: `chromium` from the path.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { barsShow, counted, eventsOf, grouped, rowsShow, series, topologyShows, total } from './numbers.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const { values: pages } = parseArgs({
  options: {
    fixture: { type: 'string' },
    hostile: { type: 'string' },
    bare: { type: 'string' },
    report: { type: 'string', multiple: true },
  },
});
const fixture = JSON.parse(readFileSync(join(here, 'fixture.json'), 'utf8'));
const trace = fixture.seeds[0].trace;
const SIZES = [
  [1280, 900],
  [400, 800],
];
const SCHEMES = ['light', 'dark'];

function browserPath() {
  return (
    process.env.CHROMIUM || execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim()
  );
}

// A page, with everything that went wrong in it: messages of the console, errors, requests that leave the file.
async function open(
  browser,
  path,
  { size = SIZES[0], scheme = 'light', hash = '', motion = 'no-preference' } = {},
) {
  const context = await browser.newContext({
    viewport: { width: size[0], height: size[1] },
    colorScheme: scheme,
    reducedMotion: motion,
  });
  const page = await context.newPage();
  const wrong = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) wrong.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  page.on('request', (request) => {
    if (!/^(file|data|blob|about):/.test(request.url())) wrong.push(`request: ${request.url()}`);
  });
  await page.goto(pathToFileURL(resolve(path)).href + hash);
  return { page, wrong, close: () => context.close() };
}

async function text(page, part) {
  return (await page.locator(`.explorer [data-part="${part}"]`).innerText()).trim();
}

async function press(page, part) {
  await page.locator(`.explorer [data-part="${part}"]`).click();
}

async function choose(page, filter, label) {
  await page.locator(`[data-part="${filter}"]`).selectOption({ label });
}

// ---- Every page, at every size, in both schemes -----------------------------------------------------------

// How many pixels the page is wider than its window.
function overflow() {
  return document.documentElement.scrollWidth - document.documentElement.clientWidth;
}

// The texts of the explorer that are hard to read on their ground: a contrast of less than 4.5 to 1.
function faintTexts() {
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) =>
      c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const parse = (colour) => (colour.match(/[\d.]+/g) || []).map(Number);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.5) return colour;
    }
    return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll(
    '.explorer p, .explorer h4, .explorer label, .explorer summary, .explorer button:enabled, .explorer small, .explorer code, .explorer li span',
  )) {
    if (!element.textContent.trim() || !element.getClientRects().length) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5)
      faint.push(
        `${contrast.toFixed(1)} ${element.className || element.tagName} ${element.textContent.slice(0, 30)}`,
      );
  }
  return faint;
}

// Texts of a picture that lie on one another.
function overlaps(selector) {
  const found = [];
  for (const svg of document.querySelectorAll(selector)) {
    const boxes = [...svg.querySelectorAll('text')]
      .filter((element) => element.textContent)
      .map((element) => [element.textContent, element.getBoundingClientRect()]);
    boxes.forEach(([a, p], index) => {
      for (const [b, q] of boxes.slice(index + 1)) {
        const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
        const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
        if (wide > 1.5 && high > 4) found.push(`${a} / ${b}`);
      }
    });
  }
  return found;
}

async function looksWell(browser, name, path) {
  for (const size of SIZES) {
    for (const scheme of SCHEMES) {
      const where = `${name} at ${size[0]} px, ${scheme}`;
      const { page, wrong, close } = await open(browser, path, { size, scheme });
      assert.equal(await page.locator('.explorer').count(), 1, `${where}: one explorer`);
      await press(page, 'summary');
      await press(page, 'forward');
      await page.waitForTimeout(600);
      assert.deepEqual(wrong, [], `${where}: nothing goes wrong`);
      assert.ok((await page.evaluate(overflow)) <= 0, `${where}: the page is not wider than its window`);
      assert.deepEqual(await page.evaluate(faintTexts), [], `${where}: every text can be read`);
      for (const picture of ['.x-topology', '.topology', '.story-diagram', '.x-time svg']) {
        assert.deepEqual(
          await page.evaluate(overlaps, picture),
          [],
          `${where}: no texts overlap in ${picture}`,
        );
      }
      await close();
    }
  }
}

// ---- The explorer, driven ---------------------------------------------------------------------------------

const tests = {
  async 'the first item that violates something is chosen, at its first event'({ page }) {
    assert.equal(await text(page, 'chosen'), 'Events of orders 233');
    assert.equal(
      await text(page, 'now'),
      'Event 1 of 15 of orders 233, 2 min 11.100 s, at shoppers: offered to edge',
    );
    assert.match(await text(page, 'matching'), /15 of 15 events shown\. It violates charged-once\./);
  },

  async 'it is said how many items are kept, and how to see another'({ page }) {
    const kept = await text(page, 'kept');
    assert.ok(
      kept.startsWith(
        `13 of 54,012 items are kept in full detail, those that violate something first; the counts below hold all ${grouped(trace.events_all)} events.`,
      ),
      kept,
    );
    assert.ok(kept.endsWith('beaufort run payments --seed 7 --report DIR --item "FLOW NUMBER"'), kept);
    await page.locator('[data-part="search"]').fill('orders 9999');
    assert.match(
      await text(page, 'found'),
      /None of the 13 kept items is that\. To see another one: beaufort run payments --seed 7 --report DIR --item "orders 9999"/,
    );
  },

  async 'buttons step forward and back, and stop at the ends'({ page }) {
    assert.ok(await page.locator('[data-part="back"]').isDisabled());
    await press(page, 'forward');
    assert.match(await text(page, 'now'), /^Event 2 of 15 .*at edge: passed on to orders-api$/);
    await press(page, 'forward');
    assert.match(await text(page, 'now'), /^Event 3 of 15 .*at orders-api#2: a run begins$/);
    await press(page, 'back');
    assert.match(await text(page, 'now'), /^Event 2 of 15 /);
    await press(page, 'last');
    assert.match(
      await text(page, 'now'),
      /^Event 15 of 15 .*at worker#0: crashed in the middle of the run; touched by worker-crashes$/,
    );
    assert.ok(await page.locator('[data-part="forward"]').isDisabled());
    await press(page, 'first');
    assert.match(await text(page, 'now'), /^Event 1 of 15 /);
  },

  async 'keys step too, and leave fields alone'({ page }) {
    await page.locator('[data-part="map"]').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    assert.match(await text(page, 'now'), /^Event 3 of 15 /);
    await page.keyboard.press('ArrowLeft');
    assert.match(await text(page, 'now'), /^Event 2 of 15 /);
    await page.keyboard.press('End');
    assert.match(await text(page, 'now'), /^Event 15 of 15 /);
    await page.keyboard.press('Home');
    assert.match(await text(page, 'now'), /^Event 1 of 15 /);
    await page.locator('[data-part="search"]').focus();
    await page.keyboard.press('ArrowRight');
    assert.match(await text(page, 'now'), /^Event 1 of 15 /);
  },

  async 'the current event is marked in the list and in sight'({ page }) {
    await press(page, 'last');
    const current = page.locator('[data-part="events"] [aria-current="step"]');
    assert.equal(await current.count(), 1);
    assert.match(await current.innerText(), /crashed in the middle of the run/);
    const [list, entry] = [
      await page.locator('[data-part="events"]').boundingBox(),
      await current.boundingBox(),
    ];
    assert.ok(
      entry.y >= list.y && entry.y + entry.height <= list.y + list.height + 1,
      'the entry is in sight',
    );
    await page.locator('[data-part="events"] button').nth(3).click();
    assert.match(await text(page, 'now'), /^Event 4 of 15 /);
  },

  async 'the item is shown at its node, and its message on the connection'({ page }) {
    assert.match(await page.locator('.x-topology [data-here] title').innerHTML(), /^shoppers/);
    assert.match(await page.locator('.x-topology [data-live] title').innerHTML(), /^shoppers → edge/);
    assert.ok(await page.locator('.x-message').isVisible());
    await press(page, 'forward');
    await press(page, 'forward');
    assert.match(await page.locator('.x-topology [data-here] title').innerHTML(), /^orders-api/);
    assert.equal(await page.locator('.x-topology [data-live]').count(), 0);
    assert.ok(!(await page.locator('.x-message').isVisible()));
    assert.equal(await page.locator('.x-topology .edge[data-been]').count(), 2);
  },

  async 'an item is found by its number, by its key and by its flow'({ page }) {
    const search = page.locator('[data-part="search"]');
    for (const [words, first, count] of [
      ['640', 'orders 640', 1],
      ['key 91', 'orders 640', 1],
      ['refunds', 'refunds 12', 2],
    ]) {
      await search.fill(words);
      assert.equal(await page.locator('[data-part="items"] button').count(), count, words);
      assert.ok(
        (await page.locator('[data-part="items"] button').first().innerText()).startsWith(first),
        words,
      );
    }
    await search.fill('640');
    await page.locator('[data-part="items"] button').click();
    assert.equal(await text(page, 'chosen'), 'Events of orders 640');
    assert.match(await text(page, 'now'), /^Event 1 of 19 of orders 640, 5 min 20\.000 s/);
    assert.match(await text(page, 'about'), /Faults at this instant: psp-slow/);
  },

  async 'filters reduce what is shown and say by how much'({ page }) {
    const items = page.locator('[data-part="items"] button');
    assert.equal(await items.count(), 13);
    assert.match(await text(page, 'shown'), /^Shown: 13 of 13 kept items, 232 of 232 kept events\./);
    await page.locator('[data-part="fault"]').selectOption({ label: 'psp-slow' });
    const touched = trace.items.filter((item) => item.events.some((event) => event[4].includes(2)));
    const events = touched.flatMap((item) => item.events).filter((event) => event[4].includes(2));
    assert.ok(touched.length > 0 && touched.length < 13);
    assert.equal(await items.count(), touched.length);
    assert.match(
      await text(page, 'shown'),
      new RegExp(`^Shown: ${touched.length} of 13 kept items, ${events.length} of 232 kept events\\.`),
    );
    await items.first().click();
    assert.match(await text(page, 'matching'), /^3 of 20 events shown/);
    await press(page, 'forward');
    assert.match(await text(page, 'now'), /touched by psp-slow$/);
    await page.locator('[data-part="fault"]').selectOption({ label: 'all' });
    await page.locator('[data-part="flow"]').selectOption({ label: 'refunds' });
    assert.equal(await items.count(), 2);
    await page.locator('[data-part="flow"]').selectOption({ label: 'all' });
    await page.locator('[data-part="node"]').selectOption({ label: 'psp' });
    const psp = total(series(trace, eventsOf(trace, 'psp')));
    assert.ok(
      (await text(page, 'shown')).includes(
        `The bars are the ${grouped(psp)} of ${grouped(trace.events_all)} events at psp.`,
      ),
    );
    assert.equal(await items.count(), 12, 'the lost item never came to psp');
    await press(page, 'clear');
    assert.equal(await items.count(), 13);
    assert.match(await text(page, 'shown'), /232 of 232 kept events\.$/);
  },

  async 'an instant is chosen on the axis by key, by click and by dragging'({ page }) {
    await press(page, 'leave');
    const axis = page.locator('[data-part="time"]');
    await axis.focus();
    await page.keyboard.press('Home');
    assert.equal(Number(await axis.getAttribute('aria-valuenow')), trace.start + trace.step / 2);
    await page.keyboard.press('ArrowRight');
    assert.equal(Number(await axis.getAttribute('aria-valuenow')), trace.start + trace.step * 1.5);
    await page.keyboard.press('PageUp');
    assert.equal(Number(await axis.getAttribute('aria-valuenow')), trace.start + trace.step * 11.5);
    assert.match(await axis.getAttribute('aria-valuetext'), /^55 s: [\d,]+ events$/);
    const box = await axis.boundingBox();
    await page.mouse.click(box.x + box.width * 0.5, box.y + 30);
    const clicked = Number(await axis.getAttribute('aria-valuenow'));
    assert.ok(clicked > 120 && clicked < 300, `${clicked}`);
    await page.mouse.move(box.x + box.width * 0.5, box.y + 30);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.7, box.y + 30, { steps: 4 });
    await page.mouse.up();
    assert.ok(Number(await axis.getAttribute('aria-valuenow')) > clicked + 60);
    await page.mouse.move(box.x + box.width * 0.2, box.y + 30);
    assert.ok(
      Number(await axis.getAttribute('aria-valuenow')) > clicked + 60,
      'after the button is up, nothing moves',
    );
  },

  async 'playing goes on by itself until it is paused'({ page }) {
    await press(page, 'play');
    assert.equal(await text(page, 'play'), 'Pause');
    await page.waitForFunction(
      () => /^Event 3 /.test(document.querySelector('[data-part="now"]').textContent),
      null,
      { timeout: 5000 },
    );
    await press(page, 'play');
    assert.equal(await text(page, 'play'), 'Play');
    const now = await text(page, 'now');
    await page.waitForTimeout(1300);
    assert.equal(await text(page, 'now'), now);
  },

  async 'a message travels'({ page }) {
    await press(page, 'forward');
    const places = new Set();
    for (let count = 0; count < 6; count += 1) {
      places.add(await page.locator('.x-message').getAttribute('transform'));
      await page.waitForTimeout(60);
    }
    assert.ok(places.size > 1, 'it is at several places');
  },

  async 'each node and each connection has its own row, and the name of a node filters'({ page }) {
    await press(page, 'summary');
    await page.locator('.x-row').first().waitFor();
    const { nodes, connections } = counted(trace);
    assert.equal(await page.locator('.x-row').count(), nodes.length + connections.length);
    assert.equal(
      await text(page, 'summary'),
      `Each of ${nodes.length} nodes and ${connections.length} connections over time`,
    );
    await page.locator('.x-row button', { hasText: 'ledger' }).click();
    assert.equal(
      await page.locator('[data-part="node"]').evaluate((select) => select.selectedOptions[0].text),
      'ledger',
    );
  },
};

async function linksRestore(browser, path) {
  const item = await open(browser, path, { hash: '#item=orders%20611&step=12' });
  assert.match(await text(item.page, 'now'), /^Event 12 of 20 of orders 611, /);
  await press(item.page, 'forward');
  await item.page.waitForURL(/#item=orders%20611&step=13$/, { timeout: 3000 });
  await item.page.evaluate(() => {
    location.hash = '#item=refunds%2015&step=2';
  });
  await item.page.waitForFunction(() =>
    /refunds 15/.test(document.querySelector('[data-part="chosen"]').textContent),
  );
  assert.match(await text(item.page, 'now'), /^Event 2 of /);
  assert.deepEqual(item.wrong, []);
  await item.close();

  const filtered = await open(browser, path, { hash: '#item=orders%20611&step=13&fault=psp-slow' });
  assert.equal(
    await filtered.page.locator('[data-part="fault"]').evaluate((select) => select.selectedOptions[0].text),
    'psp-slow',
  );
  assert.match(await text(filtered.page, 'matching'), /^3 of 20 events shown/);
  await filtered.close();
}

// What is said of an instant is what the document says of its bin.
async function instantIsTold(browser, path) {
  const { page, wrong, close } = await open(browser, path, { hash: '#t=125' });
  const bin = Math.floor((125 - trace.start) / trace.step);
  const events = series(trace, trace.activity)[bin];
  const messages = series(trace, trace.traffic)[bin];
  assert.equal(await text(page, 'instant'), 'At 2 min 5 s');
  const about = await text(page, 'about');
  assert.ok(
    about.includes(`${grouped(events)} events, ${grouped(messages)} messages between nodes.`),
    about,
  );
  assert.ok(about.includes('Faults at this instant: zone-lost.'), about);
  assert.ok(about.includes('orders-api (1 of 3 power lost), orders-db (power lost)'), about);
  const part = page.locator('.x-topology [data-level="part"]');
  assert.match(await part.locator('title').innerHTML(), /^orders-api/);
  assert.equal(await part.locator('.status').textContent(), '1 of 3 power lost');
  assert.equal(await page.locator('.x-topology [data-level="all"] .status').textContent(), 'power lost');
  await topologyShows(page, trace, {}, bin);
  assert.deepEqual(wrong, []);
  await close();
}

// Bars, rows and topology, and what is said of them, are those of a flow, of a fault, of both, and again of all.
async function numbersFollow(browser, path) {
  const { page, wrong, close } = await open(browser, path, { hash: '#t=305' });
  const bin = Math.floor((305 - trace.start) / trace.step);
  await press(page, 'summary');
  const all = trace.events_all;
  const show = async (filter, only) => {
    await barsShow(page, trace, filter);
    await topologyShows(page, trace, filter, bin);
    await rowsShow(page, trace, filter, bin);
    const events = series(trace, trace.activity, filter);
    const messages = series(trace, trace.traffic, filter)[bin];
    const said = `The bars are the ${grouped(total(events))} of ${grouped(all)} events. Bars, rows and topology show only ${only}.`;
    assert.equal((await text(page, 'shown')).endsWith(said), only !== '', `${said} / ${await text(page, 'shown')}`);
    const now = `${grouped(events[bin])} events, ${grouped(messages)} messages between nodes${only ? `; only ${only}` : ''}.`;
    assert.ok((await text(page, 'about')).includes(now), `${now} / ${await text(page, 'about')}`);
    assert.ok(
      (await page.locator('[data-part="time"]').getAttribute('aria-valuetext')).includes(
        `: ${grouped(events[bin])} events`,
      ),
    );
    return total(events);
  };
  assert.equal(await show({}, ''), all);
  await choose(page, 'flow', 'refunds');
  const refunds = await show({ flow: 'refunds' }, 'those of refunds');
  await choose(page, 'flow', 'orders');
  const orders = await show({ flow: 'orders' }, 'those of orders');
  assert.ok(refunds > 0 && orders > refunds && refunds + orders === all, `${refunds}, ${orders}`);
  await choose(page, 'fault', 'psp-slow');
  const both = await show(
    { flow: 'orders', fault: 'psp-slow' },
    'those of orders that psp-slow touched',
  );
  await choose(page, 'flow', 'all');
  const slow = await show({ fault: 'psp-slow' }, 'those that psp-slow touched');
  assert.ok(both > 0 && slow > both && slow < all, `${both}, ${slow}`);
  await choose(page, 'fault', 'worker-crashes');
  const crashed = await show({ fault: 'worker-crashes' }, 'those that worker-crashes touched');
  assert.ok(crashed > 0 && crashed < slow, `${crashed}`);
  await choose(page, 'fault', 'cable-cut');
  assert.equal(await show({ fault: 'cable-cut' }, 'those that cable-cut touched'), 0);
  await press(page, 'clear');
  assert.equal(await show({}, ''), all);
  assert.deepEqual(wrong, []);
  await close();
}

// What two faults touched is among what each of them touched, and once among what any of them touched.
async function touchedOnce(browser, path) {
  const bin = 36;
  const of = (fault) => series(trace, trace.activity, { fault })[bin];
  const any = series(trace, trace.activity, {}, 'touched')[bin];
  const each = trace.faults.map(of);
  assert.ok(any < total(each) && any >= Math.max(...each), `${any} of ${each}`);
  const { page, close } = await open(browser, path, { hash: '#t=305' });
  await barsShow(page, trace, {});
  await close();
}

// A filter leaves the focus where it is, and an item of another flow without events to step through.
async function filtersByKey(browser, path) {
  const { page, wrong, close } = await open(browser, path);
  await press(page, 'summary');
  const row = page.locator('.x-row button', { hasText: 'ledger' });
  await row.focus();
  await page.keyboard.press('Enter');
  assert.ok(await row.evaluate((button) => button === document.activeElement), 'the row keeps the focus');
  await page.keyboard.press('Enter');
  await page.locator('[data-part="flow"]').focus();
  await page.keyboard.press('r');
  await barsShow(page, trace, { flow: 'refunds' });
  assert.match(await text(page, 'now'), /^orders 233: no event of it matches the filter\.$/);
  assert.match(await text(page, 'matching'), /^0 of 15 events shown/);
  assert.equal(await page.locator('.x-topology [data-here]').count(), 0);
  await page.keyboard.press('Home');
  await barsShow(page, trace, {});
  assert.match(await text(page, 'now'), /^Event 1 of 15 of orders 233/);
  assert.deepEqual(wrong, []);
  await close();
}

async function motionIsReduced(browser, path) {
  const { page, close } = await open(browser, path, { motion: 'reduce' });
  await press(page, 'forward');
  const before = await page.locator('.x-message').getAttribute('transform');
  await page.waitForTimeout(200);
  assert.equal(await page.locator('.x-message').getAttribute('transform'), before);
  await close();
}

// Hostile names are text: nothing of them becomes an element or runs.
async function namesAreText(browser, path) {
  const { page, wrong, close } = await open(browser, path);
  await press(page, 'summary');
  for (let count = 0; count < 14; count += 1) await page.keyboard.press('ArrowRight');
  assert.equal(await page.evaluate(() => window.harmed), undefined);
  assert.equal(await page.locator('img, iframe, marquee').count(), 0);
  assert.ok((await page.locator('body').innerText()).includes('<img src=x onerror="window.harmed=1">'));
  assert.deepEqual(wrong, []);
  await close();
}

// Without items the run can still be looked at, instant by instant.
async function countsAreEnough(browser, path) {
  const { page, wrong, close } = await open(browser, path);
  assert.match(await text(page, 'kept'), /^0 of 54,012 items are kept in full detail/);
  assert.ok(await page.locator('[data-part="play"]').isDisabled());
  assert.equal(await text(page, 'instant'), 'At 0 s');
  await page.locator('[data-part="map"]').focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await text(page, 'instant'), 'At 15 s');
  assert.match(await text(page, 'about'), /2,[0-9]{3} events, .* No fault window at this instant\.$/);
  assert.equal(await page.locator('.x-topology .node').count(), trace.nodes.length);
  await choose(page, 'flow', 'refunds');
  await barsShow(page, trace, {});
  assert.match(await text(page, 'shown'), /topology are not filtered by flow or fault\.$/);
  assert.deepEqual(wrong, []);
  await close();
}

// On any report: stepping through whichever item is chosen.
async function reportSteps(browser, path) {
  const { page, wrong, close } = await open(browser, path);
  await press(page, 'forward');
  assert.match(await text(page, 'now'), /^Event 2 of \d+ of /);
  await page.keyboard.press('ArrowRight');
  assert.match(await text(page, 'now'), /^Event 3 of \d+ of /);
  await page.keyboard.press('ArrowLeft');
  assert.match(await text(page, 'now'), /^Event 2 of \d+ of /);
  await page.waitForURL(/step=2$/, { timeout: 3000 });
  const [address, now] = [page.url(), await text(page, 'now')];
  await close();
  const again = await open(browser, path, { hash: new URL(address).hash });
  assert.equal(await text(again.page, 'now'), now, 'the link leads back');
  assert.deepEqual(wrong.concat(again.wrong), []);
  await again.close();
}

// ---- All of it --------------------------------------------------------------------------------------------

let failed = 0;

async function check(name, action) {
  try {
    await action();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack}`);
  }
}

const browser = await chromium.launch({
  executablePath: browserPath(),
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
for (const [name, path] of [
  ['the fixture', pages.fixture],
  ['hostile names', pages.hostile],
]) {
  if (path)
    await check(`${name}: looks well at every size and in both schemes`, () =>
      looksWell(browser, name, path),
    );
}
if (pages.fixture) {
  for (const [name, test] of Object.entries(tests)) {
    await check(name, async () => {
      const opened = await open(browser, pages.fixture);
      await test(opened);
      assert.deepEqual(opened.wrong, []);
      await opened.close();
    });
  }
  await check('a link restores an item, a step and a filter', () => linksRestore(browser, pages.fixture));
  await check('an instant is told as the document has it', () => instantIsTold(browser, pages.fixture));
  await check('bars, rows and topology follow flow and fault', () => numbersFollow(browser, pages.fixture));
  await check('what two faults touched counts once', () => touchedOnce(browser, pages.fixture));
  await check('a filter is chosen by key and keeps the focus', () => filtersByKey(browser, pages.fixture));
  await check('nothing moves for who asked for that', () => motionIsReduced(browser, pages.fixture));
}
if (pages.bare) await check('counts alone can be looked at', () => countsAreEnough(browser, pages.bare));
if (pages.hostile) await check('hostile names stay text', () => namesAreText(browser, pages.hostile));
for (const path of pages.report || []) {
  await check(`${path}: looks well at every size and in both schemes`, () => looksWell(browser, path, path));
  await check(`${path}: steps`, () => reportSteps(browser, path));
}
await browser.close();
if (failed) {
  console.log(`${failed} failed`);
  process.exit(1);
}
