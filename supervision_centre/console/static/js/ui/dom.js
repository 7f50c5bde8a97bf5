/**
 * Building of the page. Text is always text: nothing here, and nothing in the console, parses markup out of data.
 */

/**
 * Make an element.
 * @param {string} tag
 * @param {Record<string, any>} [props] `class`, `on` (listeners by event), `data` (dataset), `text`, any property that
 *   the element has, and attributes (`aria-label`, `role`, `for`); null, undefined and false leave an attribute out.
 * @param {...(Node|string|number|null|undefined|false|Array<any>)} children
 * @returns {any} the element
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) setProperty(element, name, value);
  append(element, children);
  return element;
}

function setProperty(element, name, value) {
  if (name === "class") element.className = value;
  else if (name === "text") element.textContent = value;
  else if (name === "on") {
    for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
  } else if (name === "data") Object.assign(element.dataset, value);
  else if (value === null || value === undefined || value === false) return;
  else if (name in element && !name.startsWith("aria") && name !== "role" && name !== "list") element[name] = value;
  else element.setAttribute(name, value === true ? "" : String(value));
}

function append(element, children) {
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/**
 * Replace everything inside an element.
 * @param {Element} element
 * @param {...any} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/**
 * Set the text of an element only when it differs, so that a screen reader is not told twice.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Say a sentence to screen readers.
 * @param {string} text
 */
export function announce(text) {
  const announcer = document.getElementById("announcer");
  if (announcer) announcer.textContent = text;
}

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = {
  wall: "M3 4h8v7H3zM13 4h8v7h-8zM3 13h8v7H3zM13 13h8v7h-8z",
  replay: "M4 12a8 8 0 1 0 2.6-5.9M4 4v4h4M12 8v4.5l3 1.8",
  journal: "M6 3h12v18H6zM9 8h6M9 12h6M9 16h4",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c.6-3.6 3-5.5 6.5-5.5s5.9 1.9 6.5 5.5M16 4.5a3.3 3.3 0 0 1 0 6.2M18 14.8c2 .7 3.2 2.4 3.6 5",
  hold: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3M12 14.5v2.5",
  disks: "M4 5h16v6H4zM4 13h16v6H4zM7.5 8h0M7.5 16h0M12 8h5M12 16h5",
  leave: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
  keys: "M3 7h18v11H3zM7 11h0M11 11h0M15 11h0M8 15h8",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5 21 21",
  expand: "M9 4H4v5M15 4h5v5M9 20H4v-5M15 20h5v-5",
  back: "M11 5l-7 7 7 7M4 12h16",
  play: "M7 4.5v15l12-7.5z",
  pause: "M7 4.5h3.5v15H7zM13.5 4.5H17v15h-3.5z",
  back10: "M4 12a8 8 0 1 0 2.6-5.9M4 4v4h4",
  forth10: "M20 12a8 8 0 1 1-2.6-5.9M20 4v4h-4",
  reverse: "M17 4.5v15L5 12z",
  undo: "M9 5 4 10l5 5M4 10h10a5.5 5.5 0 0 1 0 11h-3",
  redo: "M15 5l5 5-5 5M20 10H10a5.5 5.5 0 0 0 0 11h3",
  marker: "M6 3h12v18l-6-5-6 5z",
  instant: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3.5 2",
  previous: "M7 5v14M18 5.5v13L9.5 12z",
  next: "M17 5v14M6 5.5v13L14.5 12z",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  proof: "M12 3l7 3v6c0 4.5-3 7.6-7 9-4-1.4-7-4.5-7-9V6zM9 12l2.2 2.2L15.5 10",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  nosignal: "M4 7h11v10H4zM15 11l5-3v8l-5-3M3 3l18 18",
  close: "M6 6l12 12M18 6 6 18",
  tag: "M4 4h8l8 8-8 8-8-8zM8.5 8.5h0",
  older: "M9 5l7 7-7 7",
  newer: "M15 5l-7 7 7 7",
};

/**
 * A small drawing, hidden from screen readers.
 * @param {keyof typeof SHAPES} name
 * @param {boolean} [solid] filled rather than drawn in lines
 * @returns {SVGElement}
 */
export function icon(name, solid = false) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", solid ? "icon icon--solid" : "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}
