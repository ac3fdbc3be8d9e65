// Cost and memory: a table of kernels with the roofline beside it, and the arena over time.

function startCost() {
  const place = find("#kernels");
  if (!place) return;
  const columns = costColumns();
  const body = make("tbody", {}, ...report.kernels.map((kernel) => kernelRow(kernel, columns)));
  const head = make(
    "tr",
    {},
    ...columns.map((column, index) =>
      make(
        "th",
        { scope: "col", class: column.number ? "figure" : "", title: column.about },
        sorter(column, index, columns, body),
      ),
    ),
  );
  place.append(make("table", {}, make("thead", {}, head), body));
  drawRoofline();
  listen((spot, how) => {
    for (const element of all("[data-kernel]"))
      element.classList.toggle(
        how === "pin" ? "pinned" : "lit",
        Boolean(spot?.kernels.has(Number(element.dataset.kernel))),
      );
  });
}

function costColumns() {
  const { kernels } = report;
  const timed = kernels.some((kernel) => kernel.time_us != null);
  const bounded = kernels.some((kernel) => kernel.bound_us != null);
  const time = (kernel) => kernel.time_us ?? kernel.bound_us ?? 0;
  const total = kernels.reduce((sum, kernel) => sum + time(kernel), 0);
  const number = { number: true };
  return [
    { title: "#", value: (kernel) => kernel.id, cell: (kernel) => String(kernel.id + 1), ...number },
    { title: "kernel", value: (kernel) => kernel.name, cell: (kernel) => chip(kernel.id) },
    {
      title: "part of",
      value: (kernel) => kernel.symbols[0] ?? 1e9,
      cell: partOf,
      about: "the values that the kernel computes a part of",
    },
    { title: "flop", value: (kernel) => kernel.flops, cell: (kernel) => amount(kernel.flops), ...number },
    { title: "bytes", value: (kernel) => kernel.bytes, cell: (kernel) => `${amount(kernel.bytes)}B`, ...number },
    bounded && {
      title: "at best",
      value: (kernel) => kernel.bound_us,
      cell: (kernel) => microseconds(kernel.bound_us ?? 0),
      about: "the time that arithmetic and memory need at least: the roofline",
      ...number,
    },
    bounded && {
      title: "limit",
      value: (kernel) => kernel.limit ?? "",
      cell: (kernel) => kernel.limit ?? "",
      about: "compute: the peak of the arithmetic; cache, memory: a copy of as many bytes, which fits in a cache or not",
    },
    timed && {
      title: "time",
      value: (kernel) => kernel.time_us,
      cell: (kernel) => microseconds(kernel.time_us ?? 0),
      ...number,
    },
    timed && {
      title: "of roof",
      value: (kernel) => kernel.of_roof,
      cell: (kernel) => (kernel.of_roof == null ? "" : percent(kernel.of_roof)),
      about: "the share of what the roofline allows",
      ...number,
    },
    (timed || bounded) && {
      title: "share",
      value: time,
      cell: (kernel) => share(time(kernel) / total, kernel),
      about: timed ? "of the time of a step" : "of the time of a step, if every kernel met its bound",
    },
  ].filter(Boolean);
}

function partOf(kernel) {
  const names = kernel.symbols.slice(0, 4).map((id) => formula(report.symbols[id].name));
  return make(
    "span",
    { class: "parts" },
    ...names.flatMap((name, place) => (place ? [", ", name] : [name])),
    kernel.symbols.length > 4 ? ", …" : "",
  );
}

function share(part, kernel) {
  return make(
    "span",
    { class: "share", style: `--part:${(100 * part).toFixed(2)}%;--h:${hue(kernel.id)}` },
    percent(part),
  );
}

function kernelRow(kernel, columns) {
  const row = make(
    "tr",
    { "data-kernel": kernel.id },
    ...columns.map((column) => make("td", { class: column.number ? "figure" : "" }, column.cell(kernel))),
  );
  lightUpKernel(row, kernel.id);
  return row;
}

function lightUpKernel(element, id) {
  element.addEventListener("pointerenter", () => point("kernel", id, element));
  element.addEventListener("pointerleave", () => point());
  element.addEventListener("click", () => pin("kernel", id, element));
}

/** A button that sorts the table by its column: largest first, then smallest first. */
function sorter(column, index, columns, body) {
  const sort = (event) => {
    const header = event.currentTarget.parentElement;
    const falling = header.getAttribute("aria-sort") !== "descending";
    for (const other of header.parentElement.children) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const sign = falling ? -1 : 1;
    const order = [...report.kernels].sort((a, b) => {
      const [left, right] = [column.value(a), column.value(b)];
      return sign * (typeof left === "string" ? left.localeCompare(right) : (left ?? 0) - (right ?? 0));
    });
    const rows = new Map([...body.children].map((row) => [Number(row.dataset.kernel), row]));
    body.append(...order.map((kernel) => rows.get(kernel.id)));
  };
  return make("button", { type: "button", onclick: sort }, column.title);
}

// --- the roofline -------------------------------------------------------------------------------------------------

const ROOF = { width: 640, height: 300, left: 62, right: 16, top: 14, bottom: 40 };

/** Arithmetic intensity against speed, both logarithmic, with the machine's roof; only where kernels were timed. */
function drawRoofline() {
  const place = find("#roofline");
  const peak = Math.max(0, ...Object.values(report.machine?.flops ?? {}));
  const points = report.kernels
    .filter((kernel) => kernel.time_us && kernel.flops && kernel.bytes)
    .map((kernel) => ({ kernel, intensity: kernel.flops / kernel.bytes, speed: kernel.flops / kernel.time_us / 1e3 }));
  if (!peak || points.length < 2) return place.remove();
  const roofs = roofsShown();
  const nearest = roofs[0].bandwidth;
  const limits = (values) => [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))];
  const knee = (roof) => peak / roof.bandwidth;
  const [x0, x1] = limits([...points.map((one) => one.intensity), knee(roofs[0]) / 2, knee(roofs.at(-1)) * 4]);
  const [y0, y1] = limits([...points.map((one) => one.speed), peak / 1e9]);
  const x = (value) => ROOF.left + ((Math.log10(value) - x0) / (x1 - x0)) * (ROOF.width - ROOF.left - ROOF.right);
  const y = (value) =>
    ROOF.height - ROOF.bottom - ((Math.log10(value) - y0) / (y1 - y0)) * (ROOF.height - ROOF.top - ROOF.bottom);
  const start = (roof) => Math.max(10 ** x0, (10 ** y0 * 1e9) / roof.bandwidth);
  const decades = (from, to) => Array.from({ length: to - from + 1 }, (_, place) => 10 ** (from + place));
  const longest = Math.max(...points.map(({ kernel }) => kernel.time_us));
  const dots = points.map(({ kernel, intensity, speed }) => {
    const dot = draw(
      "circle",
      {
        class: "dot",
        cx: x(intensity),
        cy: y(speed),
        r: 3 + 9 * Math.sqrt(kernel.time_us / longest),
        style: `--h:${hue(kernel.id)}`,
        "data-kernel": kernel.id,
      },
      draw("title", {}, `${kernel.name}: ${speed.toPrecision(3)} Gflop/s, ${microseconds(kernel.time_us)}`),
    );
    lightUpKernel(dot, kernel.id);
    return dot;
  });
  place.append(
    draw(
      "svg",
      {
        viewBox: `0 0 ${ROOF.width} ${ROOF.height}`,
        role: "img",
        "aria-label": "Roofline: speed of each kernel against its arithmetic intensity",
      },
      ...decades(x0, x1).map((value) => axisMark(x(value), ROOF.height - ROOF.bottom, value, "below")),
      ...decades(y0, y1).map((value) => axisMark(ROOF.left, y(value), value, "beside")),
      ...roofs.map((roof) =>
        draw("path", {
          class: roof.bandwidth === nearest ? "roof" : "roof farther",
          d:
            `M${x(start(roof))} ${y((start(roof) * roof.bandwidth) / 1e9)}L${x(knee(roof))} ${y(peak / 1e9)}` +
            `H${ROOF.width - ROOF.right}`,
        }),
      ),
      ...roofs.map((roof, place) => roofLabel(roof, place, roofs.length)),
      draw(
        "text",
        { class: "axis", x: ROOF.width - ROOF.right, y: y(peak / 1e9) - 6, "text-anchor": "end" },
        `${(peak / 1e9).toFixed(0)} Gflop/s`,
      ),
      draw(
        "text",
        { class: "axis", x: (ROOF.width + ROOF.left) / 2, y: ROOF.height - 6, "text-anchor": "middle" },
        "flop per byte",
      ),
      draw(
        "text",
        { class: "axis", transform: `translate(14 ${ROOF.height / 2}) rotate(-90)`, "text-anchor": "middle" },
        "Gflop/s",
      ),
      ...dots,
    ),
  );
}

/** At most three sloping roofs, the highest first: of the smallest data, of a program's size, of memory. */
function roofsShown() {
  const copies = report.machine.copies.filter((copy, place, all) =>
    all.slice(place + 1).every((larger) => copy.bandwidth > 1.15 * larger.bandwidth),
  );
  const middle = copies.slice(1, -1).find((copy) => copy.bandwidth <= 1.01 * report.machine.bandwidth);
  return [copies[0], middle, copies.length > 1 ? copies.at(-1) : null].filter(Boolean);
}

/** What a sloping roof stands for, in the empty corner below the flat one. */
function roofLabel({ bytes, bandwidth }, place, count) {
  const where = place === count - 1 && count > 1 ? "memory" : `${amount(bytes, 1024)}B at a time`;
  return draw(
    "text",
    { class: "axis", x: ROOF.width - ROOF.right - 6, y: ROOF.height - ROOF.bottom - 8 - 15 * (count - 1 - place), "text-anchor": "end" },
    `${amount(bandwidth)}B/s: ${where}`,
  );
}

function axisMark(x, y, value, where) {
  const text = value >= 0.01 && value < 1e5 ? String(Number(value.toPrecision(1))) : value.toExponential(0);
  const line =
    where === "below" ? { x1: x, x2: x, y1: ROOF.top, y2: y } : { x1: x, x2: ROOF.width - ROOF.right, y1: y, y2: y };
  const label =
    where === "below" ? { x, y: y + 14, "text-anchor": "middle" } : { x: x - 6, y: y + 4, "text-anchor": "end" };
  return draw("g", {}, draw("line", { class: "grid", ...line }), draw("text", { class: "axis", ...label }, text));
}

// --- the arena ----------------------------------------------------------------------------------------------------

const ARENA = { width: 1000, height: 420, left: 64, right: 8, top: 8, bottom: 34 };

/** Buffers as rectangles: kernels from left to right, bytes from bottom to top. What persists is a band below. */
function startMemory() {
  const place = find("#arena");
  if (!place) return;
  const { memory, kernels } = report;
  const x = (kernel) => ARENA.left + (kernel / kernels.length) * (ARENA.width - ARENA.left - ARENA.right);
  const y = (byte) => ARENA.height - ARENA.bottom - (byte / memory.arena) * (ARENA.height - ARENA.top - ARENA.bottom);
  const caption = make("output", { class: "caption", "aria-live": "polite" }, memoryCaption(memory));
  const boxes = memory.buffers.map((buffer) => bufferBox(buffer, x, y, caption));
  const marks = roundBytes(memory.arena).map((bytes) =>
    draw(
      "g",
      {},
      draw("line", { class: "grid", x1: ARENA.left, x2: ARENA.width - ARENA.right, y1: y(bytes), y2: y(bytes) }),
      draw(
        "text",
        { class: "axis", x: ARENA.left - 6, y: y(bytes) + 4, "text-anchor": "end" },
        `${amount(bytes, 1024)}B`,
      ),
    ),
  );
  const title = draw(
    "text",
    { class: "axis", x: (ARENA.width + ARENA.left) / 2, y: ARENA.height - 8, "text-anchor": "middle" },
    `the ${kernels.length} kernels of a step, in order`,
  );
  const now = draw("rect", { class: "now", y: ARENA.top, height: ARENA.height - ARENA.top - ARENA.bottom, width: 0 });
  place.append(
    draw(
      "svg",
      { viewBox: `0 0 ${ARENA.width} ${ARENA.height}`, role: "img", "aria-label": "Buffers in the arena over time" },
      ...marks,
      now,
      ...boxes,
      ...memory.buffers.map((buffer) => bufferLabel(buffer, x, y)),
      title,
    ),
    caption,
  );
  listen((spot, how) => {
    if (how !== "pin") return;
    const one = spot?.kernels.size ? Math.min(...spot.kernels) : null;
    now.setAttribute("x", one === null ? 0 : x(one));
    now.setAttribute("width", one === null ? 0 : x(1) - x(0));
  });
}

/** Round numbers of bytes up to a size, four to eight of them. */
function roundBytes(size) {
  const unit = 1024 ** Math.floor(Math.log(Math.max(1, size)) / Math.log(1024));
  const step = [8, 4, 2, 1].map((part) => unit / part).find((step) => size / step <= 8) ?? unit;
  const most = [1, 2, 5, 10, 20, 50, 100, 200].map((times) => times * step).find((step) => size / step <= 8);
  return Array.from({ length: Math.floor(size / most) + 1 }, (_, place) => place * most);
}

/** The most bytes that are in use at the same time. */
function mostAlive({ buffers }) {
  const alive = report.kernels.map((_, kernel) =>
    buffers.reduce((sum, { first, last, bytes }) => sum + (first <= kernel && kernel <= last ? bytes : 0), 0),
  );
  return Math.max(0, ...alive);
}

function memoryCaption(memory) {
  const { arena, persistent, buffers } = memory;
  const separate = buffers.reduce((sum, buffer) => sum + buffer.bytes, 0);
  const size = (bytes) => `${amount(bytes, 1024)}B`;
  const apart = `each in a place of its own would take ${size(separate)}`;
  const most = `at most ${size(mostAlive(memory))} are in use at a time`;
  return `${buffers.length} buffers in ${size(arena)}, of which ${size(persistent)} persist; ${most}; ${apart}.`;
}

/** What a buffer is, where it lies, and how long it lives. */
function bufferText({ name, dtype, shape, bytes, offset, role, first, last }) {
  const { kernels } = report;
  const life = role === "scratch" ? `from ${kernels[first].name} to ${kernels[last].name}` : role;
  return `${name}: ${dtype}${shape}, ${amount(bytes, 1024)}B at ${offset.toLocaleString("en")}, ${life}`;
}

/** The name of a buffer in its rectangle, where it fits. */
function bufferLabel({ name, first, last, offset, bytes }, x, y) {
  const [width, height] = [x(last + 1) - x(first), y(offset) - y(offset + bytes)];
  if (height < 14 || width < 7 * name.length + 8) return null;
  const place = { x: x(first) + width / 2, y: y(offset) - height / 2 + 4, "text-anchor": "middle" };
  return draw("text", { class: "held", ...place }, name);
}

function bufferBox(buffer, x, y, caption) {
  const shape = {
    x: x(buffer.first),
    width: Math.max(1, x(buffer.last + 1) - x(buffer.first) - 0.5),
    y: y(buffer.offset + buffer.bytes),
    height: Math.max(0.6, y(buffer.offset) - y(buffer.offset + buffer.bytes) - 0.3),
  };
  const stays = buffer.role !== "scratch";
  const text = bufferText(buffer);
  const box = draw(
    "rect",
    { class: `buffer ${buffer.role}`, ...shape, style: stays ? "" : `--h:${hue(buffer.first)}` },
    draw("title", {}, text),
  );
  const resting = memoryCaption(report.memory);
  box.addEventListener("pointerenter", () => {
    caption.textContent = text;
    if (buffer.symbols?.length) point("symbol", buffer.symbols[0], box);
  });
  box.addEventListener("pointerleave", () => {
    caption.textContent = resting;
    point();
  });
  box.addEventListener("click", () =>
    buffer.symbols?.length ? pin("symbol", buffer.symbols[0], box) : !stays && pin("kernel", buffer.first, box),
  );
  return box;
}
