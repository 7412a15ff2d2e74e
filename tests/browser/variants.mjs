// Writes variants of the fixture, `node variants.mjs FOLDER`: hostile.json, with names that attack a page, and
// bare.json, an older document with nothing that it can do without: it does not even tell flows and faults apart.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const document = JSON.parse(readFileSync(join(here, 'fixture.json'), 'utf8'));

const NAMES = {
  shoppers: '<img src=x onerror="window.harmed=1">',
  'orders-api': '</script><script>window.harmed=1</script>',
  'orders-db': '<!--<script>',
  relay: '\u202egnihtyna\u2066',
  payments: 'סדר טעינה של ההזמנות',
  worker: '"onmouseover="window.harmed=1',
  psp: "a\u0000b\u001b[31mc\u2028d'&amp;",
  ledger:
    'a-name-that-goes-on-and-on-without-an-end-so-that-no-shape-could-hold-it-all-whatever-its-size-may-be',
  orders: '<iframe src="javascript:window.harmed=1">',
  'zone-lost': ']]><marquee>${window.harmed=1}',
};

// Longer names first, so that none is replaced inside another.
const known = Object.keys(NAMES).sort((a, b) => b.length - a.length);
const pattern = new RegExp(known.join('|'), 'g');

function rename(value) {
  if (typeof value === 'string') return value.replace(pattern, (name) => NAMES[name]);
  if (Array.isArray(value)) return value.map(rename);
  if (value && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, rename(inner)]));
  return value;
}

// Only what was counted: no design, no series, no faults, no items.
function bare({ design, ...rest }) {
  const [{ series, faults, contracts, trace, ...seed }] = rest.seeds;
  const { apart, ...told } = trace;
  const activity = trace.activity.map(({ flow, by, ...row }) => row);
  const traffic = trace.traffic.map(({ flow, by, ...row }) => row);
  const counted = { ...told, activity, traffic, items: [], faults: [], words: [] };
  return { ...rest, seeds: [{ ...seed, faults: [], contracts: [], trace: counted }] };
}

const folder = process.argv[2];
writeFileSync(join(folder, 'hostile.json'), JSON.stringify(rename(document)));
writeFileSync(join(folder, 'bare.json'), JSON.stringify(bare(document)));
