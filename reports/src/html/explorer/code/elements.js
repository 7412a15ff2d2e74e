// Elements of the page and of its pictures.

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
