// Numbers, spans and instants in words.

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
