// A listing of many lines, of which only those in view are in the page.

const LINE = 18;
const BEYOND = 24;

class Listing {
  /**
   * kind     "loops", "llvm", "asm" or "cuda"
   * rows     the lines
   * kernelOf row → number of its kernel, or -1
   * words    the patterns of its language, see `coloured`
   */
  constructor(kind, title, rows, kernelOf, words) {
    Object.assign(this, { kind, title, rows, kernelOf, words });
    this.lit = new Set();
    this.pinned = new Set();
    this.exact = null;
    this.current = -1;
    this.shown = new Map();
    this.sheet = make("div", { class: "sheet", role: "presentation", style: `height:${rows.length * LINE}px` });
    this.view = make(
      "div",
      {
        class: "view",
        tabindex: "0",
        role: "listbox",
        "aria-label": `${title}, ${rows.length} lines`,
        onscroll: () => this.render(),
        onkeydown: (event) => this.keys(event),
      },
      this.sheet,
    );
    this.sheet.addEventListener("pointermove", (event) => this.hover(this.rowAt(event)));
    this.sheet.addEventListener("pointerleave", () => this.hover(-1));
    this.sheet.addEventListener("click", (event) => this.choose(this.rowAt(event)));
    new ResizeObserver(() => this.render()).observe(this.view);
  }

  rowAt(event) {
    const row = Math.floor((event.clientY - this.sheet.getBoundingClientRect().top) / LINE);
    return row >= 0 && row < this.rows.length ? row : -1;
  }

  hover(row) {
    if (row === this.hovered) return;
    this.hovered = row;
    if (row < 0) point();
    else point(this.kind, row, this);
  }

  choose(row) {
    if (row < 0 || String(getSelection())) return;
    this.current = row;
    pin(this.kind, row, this);
    this.render();
  }

  keys(event) {
    const page = Math.floor(this.view.clientHeight / LINE) - 1;
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Enter" && this.current >= 0) this.choose(this.current);
    else if (by !== undefined)
      this.go(Math.min(this.rows.length - 1, Math.max(0, (this.current < 0 ? this.top() - 1 : this.current) + by)));
    else return;
    event.preventDefault();
  }

  top() {
    return Math.floor(this.view.scrollTop / LINE);
  }

  /** Make a row the current one, as if it was pointed at. */
  go(row) {
    this.current = row;
    if (row < this.top() + 1) this.view.scrollTop = (row - 1) * LINE;
    if ((row + 2) * LINE > this.view.scrollTop + this.view.clientHeight)
      this.view.scrollTop = (row + 2) * LINE - this.view.clientHeight;
    point(this.kind, row, this);
    this.render();
  }

  /** What lights up here, of a spot. */
  light(spot, how, origin) {
    const rows = spot ? spot[this.kind] : new Set();
    if (how === "pin") this.pinned = rows;
    else this.lit = rows;
    this.exact = spot?.exact?.[this.kind] ?? null;
    if (spot && origin !== this && rows.size) this.reveal(this.exact?.size ? this.exact : rows, how);
    this.render();
  }

  /** Scroll until the rows can be seen; where some can be seen already, pointing does not scroll. */
  reveal(rows, how) {
    const first = Math.min(...rows);
    const bottom = this.top() + this.view.clientHeight / LINE - 1;
    const seen = [...rows].some((row) => row > this.top() && row < bottom);
    if (how === "point" && seen) return;
    this.view.scrollTop = Math.max(0, (first - 3) * LINE);
  }

  render() {
    const first = Math.max(0, this.top() - BEYOND);
    const last = Math.min(this.rows.length - 1, this.top() + Math.ceil(this.view.clientHeight / LINE) + BEYOND);
    for (const [row, element] of this.shown) {
      if (row >= first && row <= last) continue;
      element.remove();
      this.shown.delete(row);
    }
    for (let row = first; row <= last; row++) {
      if (!this.shown.has(row)) this.shown.set(row, this.sheet.appendChild(this.line(row)));
      this.mark(this.shown.get(row), row);
    }
    if (this.current >= 0) this.view.setAttribute("aria-activedescendant", `${this.kind}-${this.current + 1}`);
  }

  line(row) {
    const kernel = this.kernelOf(row);
    const statement = STATEMENT[this.kind](row);
    const colours = kernel < 0 ? "" : `--h:${hue(kernel)};${statement ? `--s:${hue(kernel + statement)}` : ""}`;
    return make(
      "div",
      {
        class: kernel < 0 ? "line" : "line of",
        role: "option",
        id: `${this.kind}-${row + 1}`,
        style: `top:${row * LINE}px;${colours}`,
      },
      ...coloured(this.rows[row], this.words),
    );
  }

  mark(element, row) {
    element.classList.toggle("lit", this.lit.has(row));
    element.classList.toggle("pinned", this.pinned.has(row));
    element.classList.toggle("exact", Boolean(this.exact?.has(row)));
    element.classList.toggle("current", row === this.current);
    element.setAttribute("aria-selected", String(this.pinned.has(row)));
  }
}

/** A line in pieces: each pattern of the language, in order of preference, makes a span of the class t-name. */
function coloured(text, words) {
  const pieces = [];
  let end = 0;
  for (const found of text.matchAll(words)) {
    if (found.index > end) pieces.push(text.slice(end, found.index));
    const [name, value] = Object.entries(found.groups).find(([, piece]) => piece !== undefined);
    pieces.push(make("span", { class: `t-${name}` }, value));
    end = found.index + found[0].length;
  }
  return [...pieces, text.slice(end)];
}

/** One pattern of several, each under its name. */
const words = (patterns) =>
  new RegExp(
    Object.entries(patterns)
      .map(([name, pattern]) => `(?<${name}>${pattern.source})`)
      .join("|"),
    "g",
  );

const WORDS = {
  loops: words({
    note: /"[^"]*"|\[(?:contract|vector|parallel|unroll|batch)[^\]]*\]/,
    word: /\b(?:program|dim|buffer|kernel|for|check|if|else|scan|while)\b|\b(?:sum|max|min|prod)(?=\()/,
    type: /\b(?:f16|bf16|f32|f64|i32|i64|bool)\b/,
    number: /(?<![\w.])\d[\w.+-]*/,
  }),
  llvm: words({
    note: /;.*$|!dbg.*$/,
    value: /%[\w.$-]+/,
    global: /@[\w.$-]+|@"[^"]*"/,
    type: /\b(?:float|double|half|bfloat|ptr|void|i\d+)\b/,
    word: /^\s*(?:define|ret|br|store|call|unreachable)\b|(?<== )[a-z]+/,
    number: /(?<![\w.%])-?(?:0x[\dA-F]+|\d[\d.e+]*)/,
  }),
  cuda: words({
    note: /\/\/.*$|\/\*.*?\*\//,
    directive: /^\s*#\w+.*$/,
    type: /\b(?:float|double|int|long|unsigned|bool|void|char|half|const)\b/,
    word: /\b(?:for|if|else|while|return|__\w+__|extern|__syncthreads)\b/,
    number: /\b\d[\w.]*/,
  }),
  asm: words({
    note: /#.*$/,
    label: /^[\w.$"]+:/,
    directive: /^\s*\.\w+/,
    word: /^\s+[a-z]\w*/,
    value: /%\w+/,
    number: /\$-?\w+/,
  }),
};
