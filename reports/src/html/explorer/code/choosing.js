// Choosing an instant, an item, a step; playing.

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
