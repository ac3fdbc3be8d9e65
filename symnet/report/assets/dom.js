// Small helpers: elements, formulas, numbers.

const find = (selector, inside = document) => inside.querySelector(selector);
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

/** An element: make("a", {href: "#x", class: "y", onclick: f}, "text", another). */
function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
function draw(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") element.style.cssText = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Gunzip base64 text and parse it as JSON. */
async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

/** 1234567 as "1.23 M". */
function amount(value, base = 1000) {
  const prefixes = base === 1000 ? ["", "k", "M", "G", "T"] : ["", "Ki", "Mi", "Gi", "Ti"];
  let power = 0;
  while (value >= base && power < prefixes.length - 1) [value, power] = [value / base, power + 1];
  const digits = value >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString();
  return `${digits} ${prefixes[power]}`;
}

function microseconds(value) {
  if (value >= 1000) return `${(value / 1000).toPrecision(3)} ms`;
  return `${value >= 100 ? value.toFixed(0) : Number(value.toPrecision(3))} µs`;
}

const percent = (share) => `${share < 0.0995 ? (100 * share).toFixed(1) : (100 * share).toFixed(0)}%`;

/** Hues that lie far apart for neighbours. */
const hue = (number) => Math.round((number * 137.508 + 205) % 360);

/** Whether the reader types into a field, so that letters are not commands. */
const typing = (event) => event.target.matches("input:not([type=radio]):not([type=checkbox]), textarea, select");
