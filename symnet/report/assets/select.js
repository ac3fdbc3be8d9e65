// The one selection of the page: what is pointed at (lights up while it lasts) and what is pinned (stays, and is in the
// address). Every part of the page listens and shows its share.

const listeners = [];
let pinned = null;

/** Call `shown(spot, how)` whenever what lights up changes: how is "point" or "pin", spot null for nothing. */
const listen = (shown) => listeners.push(shown);

function tell(spot, how, origin) {
  for (const shown of listeners) shown(spot, how, origin);
}

/** Light up what belongs to a place while it is pointed at; `point()` ends it. */
function point(kind = null, number = 0, origin = null) {
  tell(kind === null ? null : spotOf(kind, number), "point", origin);
}

/** Keep a place lit; `origin` is the part of the page that was clicked, and need not scroll. */
function pin(kind = null, number = 0, origin = null) {
  if (kind === "kernel") chosenKernel = number;
  if (kind === "loops" && loops.kernel[number] >= 0) chosenKernel = loops.kernel[number];
  pinned = kind === null ? null : { kind, number };
  tell(kind === null ? null : spotOf(kind, number), "pin", origin);
  const address = kind === null ? "" : addressOf(kind, number);
  if (address !== null) history.replaceState(null, "", address ? `#${address}` : location.pathname + location.search);
}

/** Where each symbol stands in the page: its row, or for a gradient its card. */
const places = new Map(all("[data-symbol]").map((place) => [Number(place.dataset.symbol), place]));

function addressOf(kind, number) {
  if (kind === "symbol") return places.get(number)?.id ?? null;
  if (kind === "kernel") return `kernel:${report.kernels[number].name}`;
  return `${kind}:${number + 1}`;
}

/** Pin something and bring the listings into view. */
function showCode(kind, number) {
  pin(kind, number);
  find("#code").scrollIntoView({ behavior: motion() });
}

/** How to scroll: at once while the page opens, and for those who want no motion. */
const motion = () =>
  !document.documentElement.dataset.ready || matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";

/** Go to what an address names: #W1, #δ1, #dL/dW1, #blocks.0.norm1.weight, #kernel:z, #loops:210, #rule:softmax. */
function follow(address) {
  const kernel = address.startsWith("kernel:")
    ? report.kernels.findIndex((one) => `kernel:${one.name}` === address)
    : -1;
  if (kernel >= 0) return showCode("kernel", kernel);
  const line = /^(loops|llvm|asm|cuda):(\d+)$/.exec(address);
  if (line && line[2] <= { loops, llvm, asm, cuda }[line[1]].rows.length) return showCode(line[1], line[2] - 1);
  const place = document.getElementById(address) ?? placeOf(address);
  if (!place) return;
  openTo(place);
  if (place.dataset.symbol !== undefined) pin("symbol", Number(place.dataset.symbol));
}

/** The place of a parameter by its name in the program, or of a gradient by dL/dW1. */
function placeOf(address) {
  const parameters = all("details.card");
  const label = (card) => report.symbols[report.parameters[card.dataset.parameter].symbol].label;
  return parameters.find((card) => label(card) === address || `dL/d${card.id}` === address);
}

function openTo(place) {
  for (let inner = place; inner; inner = inner.parentElement) if (inner.matches("details")) inner.open = true;
  place.scrollIntoView({ block: place.matches(".row") ? "center" : "start" });
  (find("summary", place) ?? place).focus({ preventScroll: true });
}
