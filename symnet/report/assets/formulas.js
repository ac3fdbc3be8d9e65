// Equations that light up, and the derivations behind the gradients.

const MOST_USES = 12;
const KINDS = { stabilising: "more stable", subgradient: "at the kink" };

/** A formula by its number in the document, with its text for those who do not see it. */
function formula(number) {
  const { text, mathml } = report.math[number];
  const holder = document.createElement("template");
  holder.innerHTML = mathml;
  const math = holder.content.firstElementChild;
  math.setAttribute("alttext", text);
  return math;
}

const textOf = (number) => report.math[number].text;
const nameOf = (symbol) => textOf(symbol.name);

/** name = formula, as the grids of equations want it. */
function equation(symbol) {
  const right =
    symbol.formula === null
      ? []
      : [make("span", { class: "is" }, "="), make("span", { class: "right" }, formula(symbol.formula))];
  return [make("span", { class: "name" }, formula(symbol.name)), ...right];
}

/** The kernels in which a symbol is computed, as links to their code. */
function chips(symbol, most = 3) {
  const links = symbol.kernels.slice(0, most).map((number) => chip(number));
  const rest = symbol.kernels.length - most;
  const more =
    rest > 0
      ? make("button", { type: "button", class: "chip more", onclick: () => showCode("symbol", symbol.id) }, `+${rest}`)
      : null;
  const note = symbol.note ? make("span", { class: "note" }, symbol.note) : null;
  return make("span", { class: "chips" }, ...links, more, note);
}

function chip(number) {
  const { name, note } = report.kernels[number];
  const open = (event) => {
    event.preventDefault();
    event.stopPropagation();
    showCode("kernel", number);
  };
  return make(
    "a",
    {
      class: "chip",
      href: `#kernel:${name}`,
      style: `--h:${hue(number)}`,
      title: `kernel ${name}: ${note}`,
      onclick: open,
    },
    name,
  );
}

/** An equation lights up what it becomes while it is pointed at, and stays lit after a click. */
function lightUp(element, symbol) {
  element.addEventListener("pointerenter", () => point("symbol", symbol, element));
  element.addEventListener("pointerleave", () => point());
}

function wireRow(row) {
  const symbol = Number(row.dataset.symbol);
  lightUp(row, symbol);
  find(".about", row).prepend(chips(report.symbols[symbol]));
  row.addEventListener("click", () => pin("symbol", symbol, row));
  row.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target === row) pin("symbol", symbol, row);
    if (event.key === "ArrowDown") moveFocus(event, row.nextElementSibling);
    if (event.key === "ArrowUp") moveFocus(event, row.previousElementSibling);
  });
}

function moveFocus(event, element) {
  if (!element) return;
  event.preventDefault();
  element.focus();
}

function wireCard(card) {
  const parameter = report.parameters[card.dataset.parameter];
  const summary = find("summary", card);
  lightUp(summary, parameter.gradient);
  card.addEventListener("toggle", () => {
    const place = find(".derivation", card);
    if (card.open && !place.childElementCount) place.append(...derivation(parameter));
  });
  summary.addEventListener("click", () => {
    if (!card.open) pin("symbol", parameter.gradient, card);
  });
}

/** What a gradient mentions, where it is computed, and the steps that lead to it. */
function derivation(parameter) {
  const gradient = report.symbols[parameter.gradient];
  const update = report.symbols[parameter.update];
  const where = parameter.where.map((id) => {
    const row = make("div", { class: "row", "data-mention": id }, ...equation(report.symbols[id]));
    lightUp(row, id);
    return row;
  });
  const kernels = new Set([...gradient.kernels, ...(update?.kernels ?? [])]);
  return [
    where.length
      ? make(
          "details",
          { class: "where", open: where.length <= 8 },
          make("summary", {}, "where"),
          make("div", { class: "equations" }, ...where),
        )
      : null,
    kernels.size ? make("p", { class: "computed" }, "computed in ", ...[...kernels].map(chip)) : null,
    ...unfolding(
      parameter.steps.map((number) => report.steps[number]),
      parameter.moves.map((number) => report.moves[number]),
    ),
  ].filter(Boolean);
}

/** The steps, and a bar to go through them one by one. */
function unfolding(steps, moves) {
  const list = make("ol", { class: "steps" }, ...phases(steps, moves).flatMap((part) => phase(...part)));
  const state = make("output", { class: "place" });
  const shown = () =>
    all(".step", list).filter((item) => getComputedStyle(item).display !== "none" || item.matches(".later"));
  let reached = Infinity;
  const go = (count) => {
    list.classList.remove("going");
    for (const item of all(".step", list)) item.classList.remove("later", "now");
    const items = shown();
    reached = Math.max(1, Math.min(count, items.length));
    items.forEach((item, place) => item.classList.toggle("later", place >= reached));
    state.textContent = reached < items.length ? `step ${reached} of ${items.length}` : "all steps";
    items[reached - 1]?.classList.toggle("now", count !== Infinity);
    if (count !== Infinity) items[reached - 1]?.scrollIntoView({ block: "nearest", behavior: motion() });
  };
  const button = (text, label, count) =>
    make("button", { type: "button", "aria-label": label, onclick: () => go(count()) }, text);
  const bar = make(
    "div",
    { class: "bar unfold", role: "group", "aria-label": "Go through the steps" },
    button("Step by step", "from the first step", () => 1),
    button("◂", "one step back", () => (reached === Infinity ? shown().length : reached) - 1),
    button("▸", "next step", () => (reached === Infinity ? 1 : reached + 1)),
    button("All", "all steps", () => Infinity),
    state,
  );
  return [bar, list];
}

/**
 * The steps in three parts: what happens to the loss, the chain rule, what happens to the gradient. In brief the chain
 * rule is told by its moves, and algebra by how much there is.
 */
function phases(steps, moves) {
  const first = steps.findIndex((step) => step.through !== null);
  const last = steps.findLastIndex((step) => step.through !== null);
  if (first < 0) return [["", steps, []]];
  const algebra = steps.filter((step) => step.through === null && step.level === "normal").length;
  const rest = algebra ? [moveItem("algebra", `${algebra} ${algebra === 1 ? "step" : "steps"}, shown at normal`)] : [];
  return [
    ["The loss is simplified", steps.slice(0, first), []],
    ["It is differentiated, from the loss back to the parameter", steps.slice(first, last + 1), moves.map(chainItem)],
    ["The gradient is simplified", steps.slice(last + 1), rest],
  ];
}

function phase(title, steps, moves) {
  const levels = steps.map((step) => step.level);
  const level = moves.length ? "brief" : ["brief", "normal", "full"].find((one) => levels.includes(one));
  const head = title && level ? [make("li", { class: "phase", "data-level": level }, title)] : [];
  return [...head, ...steps.map(stepItem), ...moves];
}

/** The chain rule from named value to named value. */
function chainItem({ left, by, right, lines, through, choices }) {
  const why = lines.length ? "one step of the loop, backward" : through.length ? `through ${through.join(", ")}` : "";
  const equations = lines.length ? lines : [[left, right]];
  const change = equations.map(([name, value]) =>
    make(
      "div",
      { class: "equal" },
      make("span", { class: "before" }, formula(name)),
      by === null ? null : [make("span", { class: "sign" }, "="), make("span", { class: "before" }, formula(by))],
      make("span", { class: "sign" }, "="),
      make("span", { class: "after" }, formula(value)),
    ),
  );
  return moveItem("chain rule", why, choices, change);
}

/** A step that is shown in brief alone. */
function moveItem(rule, why, choices = [], change = []) {
  const mark = choices.length ? make("span", { class: "mark subgradient" }, KINDS.subgradient) : null;
  return make(
    "li",
    { class: `step move ${mark ? "subgradient" : "chain"}`, tabindex: "0", onkeydown: stepKeys },
    make(
      "div",
      { class: "why" },
      make("span", { class: "rule" }, rule),
      mark,
      make("p", {}, [why, ...choices].filter(Boolean).join("; ")),
    ),
    make("div", { class: "change" }, ...change),
  );
}

function stepItem(step) {
  const mark = KINDS[step.kind] ? make("span", { class: `mark ${step.kind}` }, KINDS[step.kind]) : null;
  const rule = step.kind === "chain" ? step.rule : make("a", { href: `#rule:${step.rule}` }, step.rule);
  const same = step.level !== "full" ? null : make("span", { class: "same" }, "nothing that is written changes");
  const through = step.through === null ? null : make("div", { class: "through" }, "through ", formula(step.through));
  const assumption = step.assumption ? make("span", { class: "assumption" }, `assuming ${step.assumption}`) : null;
  return make(
    "li",
    { class: `step ${step.kind}`, "data-level": step.level, tabindex: "0", onkeydown: stepKeys },
    make(
      "div",
      { class: "why" },
      make("span", { class: "rule" }, rule),
      mark,
      make("p", {}, step.reason, assumption && " — ", assumption),
    ),
    make(
      "div",
      { class: "change" },
      make("span", { class: "before" }, formula(step.left)),
      make("span", { class: "sign" }, step.sign),
      make("span", { class: "after" }, formula(step.right)),
      same,
      through,
    ),
  );
}

function stepKeys(event) {
  const towards = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  if (!towards) return;
  let item = event.currentTarget[towards];
  while (item && (!item.matches(".step") || getComputedStyle(item).display === "none")) item = item[towards];
  moveFocus(event, item);
}

/** The rules of all derivations: how often each is used, and why it holds. */
function law() {
  const uses = new Map();
  for (const { steps } of report.parameters) {
    for (const number of steps) {
      const step = report.steps[number];
      if (step.kind === "chain" || step.level === "full") continue;
      if (!uses.has(step.rule)) uses.set(step.rule, []);
      uses.get(step.rule).push(number);
    }
  }
  const rules = [...uses].sort(([a], [b]) => a.localeCompare(b));
  return rules.map(([rule, numbers]) => {
    const step = report.steps[numbers[0]];
    const mark = KINDS[step.kind] ? make("span", { class: `mark ${step.kind}` }, KINDS[step.kind]) : null;
    const uses = make("ul");
    const show = () => uses.childElementCount || uses.append(...[...new Set(numbers)].slice(0, MOST_USES).map(useOf));
    return make(
      "details",
      { class: "law", id: `rule:${rule}`, ontoggle: show },
      make(
        "summary",
        {},
        make("span", { class: "rule" }, rule),
        mark,
        make("span", { class: "reason" }, step.reason),
        make("span", { class: "count" }, `${new Set(numbers).size} ×`),
      ),
      uses,
    );
  });
}

function useOf(number) {
  const { left, sign, right } = report.steps[number];
  return make("li", {}, formula(left), make("span", { class: "sign" }, sign), formula(right));
}

function startFormulas() {
  all(".row[data-symbol]").forEach(wireRow);
  all("details.card").forEach(wireCard);
  find("#law")?.append(...law());
  if (!find("#law")?.childElementCount) find("#rules")?.remove();
  document.body.dataset.level = "normal";
  for (const choice of all("input[name=level]")) {
    choice.addEventListener("change", () => (document.body.dataset.level = choice.value));
  }
  listen((spot, how) => {
    for (const element of all("[data-symbol], [data-mention]")) {
      const id = Number(element.dataset.symbol ?? element.dataset.mention);
      element.classList.toggle(how === "pin" ? "pinned" : "lit", Boolean(spot?.symbols.has(id)));
    }
  });
}
