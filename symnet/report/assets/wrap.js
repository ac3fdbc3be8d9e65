// Long formulas: broken into lines between terms and arguments; what cannot be broken is set smaller, or scrolls at last.

const SMALLEST = 0.72;
const BROKEN_BEFORE = new Set(["+", "−", "⊙", "·", "⊗", "=", "≠", "<", ">", "≤", "≥", "∧", "∨", "→"]);
const FORMULA_PLACES = ".right, .change .before, .change .after";

/** Fit the formula of a place into its width; anew when that has changed. */
function fitFormula(place) {
  const width = place.clientWidth;
  if (!width || place.fitted === width) return;
  place.fitted = width;
  place.whole ??= [...place.childNodes];
  place.replaceChildren(...place.whole);
  place.style.fontSize = "";
  if (place.scrollWidth <= width + 1) return;
  const parts = place.whole.flatMap((node) => (node.localName === "math" ? broken(node, width) : [node]));
  if (parts.length > place.whole.length) place.replaceChildren(...parts.flatMap((part) => [part, " "]));
  const over = place.scrollWidth / width;
  if (over > 1) place.style.fontSize = `${Math.max(SMALLEST, 0.98 / over)}em`;
}

/** A formula as several that can stand below each other; the first says all of it to those who do not see it. */
function broken(math, width) {
  const lines = [[]];
  for (const part of opened(math, 0.6 * width)) {
    const last = lines.at(-1).at(-1);
    const sign = part.localName === "mo" && BROKEN_BEFORE.has(part.textContent);
    const starts = !last || (last.localName === "mo" && "([{".includes(last.textContent));
    if (last && !starts && (sign || (last.localName === "mo" && last.textContent === ","))) lines.push([]);
    lines.at(-1).push(part);
  }
  return lines.map((parts, place) => {
    const line = math.cloneNode(false);
    line.append(...parts.map((part) => part.cloneNode(true)));
    if (place) {
      line.removeAttribute("alttext");
      line.setAttribute("aria-hidden", "true");
      if (line.firstElementChild.localName === "mo") line.firstElementChild.setAttribute("form", "infix");
    }
    return line;
  });
}

/** The parts of a formula, rows that are wider than `most` taken apart. */
function opened(node, most) {
  const row = node.localName === "math" || node.localName === "mrow";
  if (!row || node.getBoundingClientRect().width <= most) return [node];
  return [...node.children].flatMap((child) => opened(child, most));
}

/** Fit every formula when it comes into view, and when the width of the page changes. */
function startWrapping() {
  const inView = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) if (isIntersecting) fitFormula(target);
  });
  const watch = (inside) => all(FORMULA_PLACES, inside).forEach((place) => inView.observe(place));
  watch(document);
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes)
      for (const node of addedNodes) if (node.nodeType === Node.ELEMENT_NODE && node.localName !== "math") watch(node);
  }).observe(find("main"), { childList: true, subtree: true });
  let pending = 0;
  const anew = () => all(FORMULA_PLACES).forEach((place) => place.checkVisibility() && fitFormula(place));
  addEventListener("resize", () => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(anew);
  });
  matchMedia("print").addEventListener("change", anew);
  addEventListener("beforeprint", anew);
}
