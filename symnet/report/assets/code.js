// The panes: formulas, loop program, LLVM IR, assembly (and CUDA C where there is some), side by side and linked.

const PANES = [];
const NARROW = matchMedia("(max-width: 900px)");

class FormulaPane {
  constructor() {
    this.kind = "formulas";
    this.title = "Formulas";
    const rows = report.symbols
      .filter((symbol) => symbol.formula !== null && symbol.kernels.length)
      .map((symbol) => this.row(symbol));
    this.view = make("div", { class: "view formulas", role: "list", "aria-label": "Formulas" }, ...rows);
  }

  row(symbol) {
    const row = make(
      "div",
      {
        class: "row",
        role: "listitem",
        tabindex: "0",
        "data-mention": symbol.id,
        style: `--h:${hue(symbol.kernels[0])}`,
      },
      ...equation(symbol),
    );
    lightUp(row, symbol.id);
    row.addEventListener("click", () => pin("symbol", symbol.id, this));
    row.addEventListener("keydown", (event) => {
      if (event.key === "Enter") pin("symbol", symbol.id, this);
      if (event.key === "ArrowDown") moveFocus(event, row.nextElementSibling);
      if (event.key === "ArrowUp") moveFocus(event, row.previousElementSibling);
    });
    return row;
  }

  light(spot, how, origin) {
    if (!spot || origin === this) return;
    const row = all(".row", this.view).find((one) => spot.symbols.has(Number(one.dataset.mention)));
    if (!row) return;
    const top = row.offsetTop;
    const seen = top >= this.view.scrollTop && top + row.offsetHeight <= this.view.scrollTop + this.view.clientHeight;
    if (!seen) this.view.scrollTop = top - 40;
  }
}

function startCode() {
  const panes = find("#panes");
  if (!panes) return;
  PANES.push(
    new FormulaPane(),
    new Listing("loops", "Loop program", loops.rows, (row) => loops.kernel[row] ?? -1, WORDS.loops),
    new Listing("llvm", "LLVM IR", llvm.rows, kernelOfLlvm, WORDS.llvm),
    new Listing("asm", "Assembly", asm.rows, kernelOfAsm, WORDS.asm),
    ...(cuda.rows.length ? [new Listing("cuda", "CUDA C", cuda.rows, (row) => cuda.kernel[row], WORDS.cuda)] : []),
  );
  for (const pane of PANES) {
    const head = make(
      "h3",
      {},
      pane.title,
      make("small", {}, pane.rows ? `${pane.rows.length.toLocaleString("en")} lines` : ""),
    );
    pane.frame = make("section", { class: `pane ${pane.kind}`, "aria-label": pane.title }, head, pane.view);
    panes.append(pane.frame);
  }
  find("#code-bar").append(...codeBar(panes));
  arrange();
  NARROW.addEventListener("change", arrange);
  listen((spot, how, origin) => PANES.forEach((pane) => pane.light(spot, how, origin)));
  listen((spot, how) => how === "pin" && tellChosen(spot));
}

function codeBar(panes) {
  const toggles = PANES.map((pane) => {
    pane.toggle = make(
      "button",
      { type: "button", class: "tab", "aria-pressed": "true", onclick: () => toggle(pane) },
      pane.title,
    );
    return pane.toggle;
  });
  const fill = make(
    "button",
    {
      type: "button",
      id: "fill",
      "aria-pressed": "false",
      title: "Fill the window",
      onclick: () => fillWindow(panes.closest("section")),
    },
    "Fill the window",
  );
  return [...toggles, make("output", { id: "chosen", "aria-live": "polite" }), make("span", { class: "space" }), fill];
}

/** All panes side by side where there is room, one at a time where there is not. */
function arrange() {
  PANES.forEach((pane, place) => setShown(pane, NARROW.matches ? place === 1 : true));
}

function toggle(pane) {
  if (NARROW.matches) PANES.forEach((one) => setShown(one, one === pane));
  else setShown(pane, pane.frame.hidden);
}

function setShown(pane, shown) {
  pane.frame.hidden = !shown;
  pane.toggle.setAttribute("aria-pressed", String(shown));
}

function fillWindow(section) {
  const full = section.classList.toggle("full");
  find("#fill").setAttribute("aria-pressed", String(full));
  find("#fill").textContent = full ? "Back to the page" : "Fill the window";
  if (!full) section.scrollIntoView();
  return full;
}

/** Which kernel is pinned, and what it costs, above the panes. */
function tellChosen(spot) {
  const numbers = spot ? [...spot.kernels] : [];
  const kernel = numbers.length === 1 ? report.kernels[numbers[0]] : null;
  const parts = kernel ? [`${kernel.name}: ${amount(kernel.flops)}flop, ${amount(kernel.bytes)}B`] : [];
  if (kernel?.time_us != null) parts.push(microseconds(kernel.time_us));
  find("#chosen").textContent = parts.join(", ") || (numbers.length ? `${numbers.length} kernels` : "");
}

/** Go to the next kernel, or the previous one. */
function stepKernel(by) {
  if (!report.kernels.length) return;
  const count = report.kernels.length;
  showCode("kernel", chosenKernel < 0 ? (by > 0 ? 0 : count - 1) : (chosenKernel + by + count) % count);
}

// --- one gradient, all the way down ------------------------------------------------------------------------------

const MOST_LINES = 7;

/** The gradient whose way down is shown at the head of the page: the shortest one with a matrix product. */
function exampleGradient() {
  const weight = ({ symbol, kernel }) =>
    textOf(symbol.formula).length + kernel.name.length + (symbol.op === "contract" ? 0 : 1000);
  return report.parameters
    .map(({ gradient }) => report.symbols[gradient])
    .filter((symbol) => symbol.kernels.length && spotOf("symbol", symbol.id).asm.size)
    .map((symbol) => ({ symbol, kernel: report.kernels[symbol.kernels.at(-1)] }))
    .sort((a, b) => weight(a) - weight(b))[0];
}

/** Fill the head of the page with the example; what belongs to it, null where there is no code. */
function wayDown() {
  const place = find("#way");
  const example = place && exampleGradient();
  if (!example) return null;
  const { symbol, kernel } = example;
  const spot = spotOf("symbol", symbol.id);
  const head = loops.rows.slice(kernel.lines[0] - 1, Math.min(kernel.lines[1], kernel.lines[0] - 1 + MOST_LINES));
  head[0] = head[0].replace(/ "[^"]*".*$/, ":");
  const stage = (title, address, ...content) =>
    make("a", { class: "stage", href: address }, make("span", { class: "kicker" }, title), ...content);
  const code = (rows, words) =>
    make("code", {}, ...rows.map((row) => make("span", {}, ...coloured(row.replace(/^\s{2}/, ""), words))));
  const open = (element) =>
    element.addEventListener("click", (event) => {
      event.preventDefault();
      showCode("symbol", symbol.id);
    });
  const card = find(`details[data-symbol="${symbol.id}"]`);
  const stages = [
    stage(
      "the formula you read",
      `#${card.id}`,
      make("span", { class: textOf(symbol.formula).length > 18 ? "formula long" : "formula" }, ...equation(symbol)),
    ),
    stage("is the loop that is compiled", `#kernel:${kernel.name}`, code(head, WORDS.loops)),
    stage(
      "to LLVM IR",
      `#kernel:${kernel.name}`,
      code(busiest(spot.llvm, llvm, /fmul|\.fma\.|\.fmuladd\.|fadd/), WORDS.llvm),
    ),
    stage(
      "and to machine code",
      `#kernel:${kernel.name}`,
      code(busiest(spot.asm, asm, /fmadd|mulp[sd]|addp[sd]|fmla/), WORDS.asm),
    ),
  ];
  stages.slice(1).forEach(open);
  place.append(...stages);
  return spot;
}

/** The lines in a row, among these, that say the most: where the arithmetic is densest. */
function busiest(set, listing, arithmetic) {
  const rows = [...set].sort((a, b) => a - b);
  const score = (start) =>
    listing.rows.slice(start, start + MOST_LINES).filter((row, by) => set.has(start + by) && arithmetic.test(row))
      .length;
  const best = rows.reduce((a, b) => (score(b) > score(a) ? b : a), rows[0]);
  return listing.rows.slice(best, best + MOST_LINES).filter((row) => row.trim());
}
