// The trace explorer. Its data is the JSON element beside it, its topology the SVG that stands in the page
// already; what the user does changes `view`, and `render` shows it. Names are shown as text only.

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
