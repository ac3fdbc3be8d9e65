// The picture: drawn from the layout, moved by dragging, wheel and keys; a click opens a node.

const MOST_LABEL = 24;
const TITLE = 16;
const LOWEST = 340;

/** What is written in a node: a symbol's name, operation and shape, or the name of a closed layer. */
function nodeLabel({ symbol, layer }) {
  if (layer) return [make("b", {}, `${shortName(layer)} +`)];
  const detail = symbol.role === "input" || symbol.role === "parameter" ? symbol.shape : `${symbol.op} ${symbol.shape}`;
  const text = detail.length > MOST_LABEL ? `${detail.slice(0, MOST_LABEL)}…` : detail;
  return [make("span", { class: "node-name" }, formula(symbol.name)), make("small", {}, text)];
}

const shortName = (layer) =>
  layer.parent === null ? layer.name : layer.name.replace(`${clusters[layer.parent].name}.`, "");

/** Measure all labels at once, in a place that is not seen. */
function measured() {
  const bench = make("div", { class: "bench" });
  const boxes = new Map();
  const add = (id, node) => {
    const box = make("div", { class: "node-box" }, ...nodeLabel(node));
    bench.append(box);
    boxes.set(id, box);
  };
  for (const symbol of report.symbols)
    if (isShown(symbol) && standIn(symbol)[0] === "s") add(`s${symbol.id}`, { symbol });
  for (const layer of view.closed) add(`c${layer}`, { layer: clusters[layer] });
  find("#canvas").append(bench);
  const sizes = new Map(
    [...boxes].map(([id, box]) => [
      id,
      { width: Math.ceil(box.offsetWidth) + 2, height: Math.ceil(box.offsetHeight) + 2 },
    ]),
  );
  bench.remove();
  return ({ symbol, layer }) => sizes.get(symbol ? `s${symbol.id}` : `c${layer.id}`);
}

const camera = { x: 0, y: 0, scale: 1 };
let scene = null;

function drawPicture() {
  const canvas = find("#canvas");
  const graph = layout(measured());
  const content = draw(
    "g",
    {},
    ...graph.layers.map(layerBox),
    ...graph.edges.map(edgeLine),
    ...graph.loops.map(loopLine),
    ...graph.nodes.map(nodeBox),
  );
  const svg = draw("svg", { width: "100%", height: "100%" }, arrowHead(), content);
  find("svg", canvas)?.remove();
  canvas.append(svg);
  scene = { graph, content, svg };
  canvas.parentElement.style.maxHeight = `${Math.max(LOWEST, 1.25 * graph.height)}px`;
  fit();
}

function arrowHead() {
  const tip = draw("path", { d: "M0 0L7 3.5L0 7z" });
  return draw(
    "defs",
    {},
    draw(
      "marker",
      { id: "tip", viewBox: "0 0 7 7", refX: 6, refY: 3.5, markerWidth: 7, markerHeight: 7, orient: "auto" },
      tip,
    ),
  );
}

const corner = ({ x, y, width, height }) => ({ x: x - width / 2, y: y - height / 2, width, height });

function layerBox(node) {
  const place = corner(node);
  place.y -= TITLE;
  place.height += TITLE;
  const title = draw("text", { x: place.x + 8, y: place.y + 15 }, `${shortName(node.layer)} −`);
  const toggle = () => openLayer(node.layer.id, false);
  return draw(
    "g",
    { class: "layer" },
    draw("rect", { ...place, rx: 8 }),
    draw("g", { class: "layer-title", onclick: toggle }, draw("title", {}, `close ${node.layer.name}`), title),
  );
}

function edgeLine({ source, target, points }) {
  return draw("path", {
    class: "edge",
    "data-source": source,
    "data-target": target,
    d: smooth(points),
    "marker-end": "url(#tip)",
  });
}

/** From a node to itself: it needs its value of the step before. */
function loopLine({ id, x, y, width, height }) {
  const [right, low, high] = [x + width / 2, y + height / 4, y - height / 4];
  return draw(
    "path",
    {
      class: "edge",
      "data-source": id,
      "data-target": id,
      d: `M${right} ${low}C${right + 22} ${low + 5} ${right + 22} ${high - 5} ${right} ${high}`,
      "marker-end": "url(#tip)",
    },
    draw("title", {}, "its own value of the step before"),
  );
}

/** A curve through the middles of the segments, which begins and ends on the points. */
function smooth(points) {
  const [first, ...rest] = points.map(({ x, y }) => [x.toFixed(1), y.toFixed(1)]);
  if (rest.length < 2) return `M${first}L${rest}`;
  const middle = ([ax, ay], [bx, by]) => [(Number(ax) + Number(bx)) / 2, (Number(ay) + Number(by)) / 2];
  const curve = rest.slice(0, -2).map((at, place) => `Q${at} ${middle(at, rest[place + 1])}`);
  return `M${first}${curve.join("")}Q${rest.at(-2)} ${rest.at(-1)}`;
}

function nodeBox(node) {
  const { symbol, layer } = node;
  const role = symbol ? symbol.role : "closed";
  const open = () => (symbol ? openNode(symbol.id) : openLayer(layer.id, true));
  const label = symbol ? `${nameOf(symbol)}, ${symbol.role}, ${symbol.shape}` : `open ${layer.name}`;
  const box = make("div", { class: "node-box" }, ...nodeLabel(node));
  const element = draw(
    "g",
    {
      class: `node ${role}`,
      role: "button",
      tabindex: "0",
      "aria-label": label,
      "data-node": symbol ? symbol.id : null,
    },
    draw("rect", { ...corner(node), rx: 6 }),
    draw("foreignObject", corner(node), box),
  );
  element.addEventListener("click", open);
  element.addEventListener("keydown", (event) => nodeKeys(event, node, open));
  if (symbol) lightUp(element, symbol.id);
  return element;
}

function nodeKeys(event, node, open) {
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    return open();
  }
  const step = { ArrowDown: [0, 1], ArrowUp: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  nearestNode(node, step)?.focus();
}

/** The node that lies nearest in a direction. */
function nearestNode(from, [dx, dy]) {
  const ahead = scene.graph.nodes
    .map((node, place) => ({
      place,
      along: (node.x - from.x) * dx + (node.y - from.y) * dy,
      aside: Math.abs((node.x - from.x) * dy) + Math.abs((node.y - from.y) * dx),
    }))
    .filter(({ along }) => along > 4)
    .sort((a, b) => a.along + 2 * a.aside - b.along - 2 * b.aside);
  return ahead.length ? all(".node", scene.content)[ahead[0].place] : null;
}

function openLayer(id, open) {
  if (open) view.closed.delete(id);
  else view.closed.add(id);
  drawPicture();
}

/** What there is to know of a value, beside the picture. */
function openNode(id) {
  const symbol = report.symbols[id];
  const links = (ids) =>
    ids.map((other) =>
      make(
        "button",
        { type: "button", class: "ref", onclick: () => openNode(other) },
        formula(report.symbols[other].name),
      ),
    );
  const facts = [
    ["shape", `${symbol.dtype} ${symbol.shape}`],
    ["called", symbol.label],
    ["operation", symbol.op],
    ["layer", symbol.cluster === null ? null : clusters[symbol.cluster].name],
    ["from", symbol.uses.length ? links(symbol.uses) : null],
    ["used by", users[id].length ? links(users[id]) : null],
    ["computed in", symbol.kernels.length || symbol.note ? chips(symbol, 8) : null],
  ].filter(([, value]) => value);
  const place = places.get(id);
  const panel = find("#node");
  panel.replaceChildren(
    make("button", { type: "button", class: "close", "aria-label": "Close", onclick: closeNode }, "×"),
    make("p", { class: "kicker" }, symbol.role),
    make("div", { class: "node-formula" }, ...equation(symbol)),
    make("dl", {}, ...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))),
    place
      ? make("a", { href: `#${place.id}` }, place.matches("details") ? "its derivation" : "among the formulas")
      : "",
  );
  panel.hidden = false;
  pin("symbol", id, find("#canvas"));
}

function closeNode() {
  const panel = find("#node");
  if (panel.hidden) return false;
  panel.hidden = true;
  find(".node.pinned")?.focus();
  return true;
}

// --- the camera ---------------------------------------------------------------------------------------------------

function move() {
  scene.content.setAttribute("transform", `translate(${camera.x} ${camera.y}) scale(${camera.scale})`);
}

/** All of the picture, but no smaller than can be read: then its beginning. */
function fit() {
  const canvas = find("#canvas");
  const { width, height } = scene.graph;
  const whole = Math.min(canvas.clientWidth / width, canvas.clientHeight / height, 1.25);
  camera.scale = Math.max(whole, Math.min(0.7, canvas.clientWidth / width), 0.2);
  camera.x = (canvas.clientWidth - width * camera.scale) / 2;
  camera.y = Math.max(0, (canvas.clientHeight - height * camera.scale) / 2);
  move();
}

function zoom(factor, x = find("#canvas").clientWidth / 2, y = find("#canvas").clientHeight / 2) {
  const scale = Math.min(4, Math.max(0.05, camera.scale * factor));
  camera.x = x - ((x - camera.x) * scale) / camera.scale;
  camera.y = y - ((y - camera.y) * scale) / camera.scale;
  camera.scale = scale;
  move();
}

/** When room is taken or given beside the picture, its middle stays in the middle. */
function keepMiddle(canvas) {
  let width = canvas.clientWidth;
  new ResizeObserver(() => {
    camera.x += (canvas.clientWidth - width) / 2;
    width = canvas.clientWidth;
    move();
  }).observe(canvas);
}

function startCamera(canvas) {
  const fingers = new Map();
  canvas.addEventListener("pointerdown", (event) => fingers.set(event.pointerId, [event.clientX, event.clientY]));
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    const now = [event.clientX, event.clientY];
    if (other) {
      const apart = ([x, y]) => Math.hypot(x - other[0], y - other[1]);
      const { left, top } = canvas.getBoundingClientRect();
      zoom(apart(now) / Math.max(1, apart(before)), other[0] - left, other[1] - top);
    } else {
      if (!canvas.hasPointerCapture(event.pointerId) && Math.hypot(now[0] - before[0], now[1] - before[1]) < 4) return;
      canvas.setPointerCapture(event.pointerId);
      camera.x += now[0] - before[0];
      camera.y += now[1] - before[1];
      move();
    }
    fingers.set(event.pointerId, now);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"])
    canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const { left, top } = canvas.getBoundingClientRect();
      zoom(Math.exp(-event.deltaY / 300), event.clientX - left, event.clientY - top);
    },
    { passive: false },
  );
  canvas.addEventListener("keydown", (event) => {
    const pan = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else if (event.key === "0") fit();
    else if (pan && event.target === canvas) [camera.x, camera.y] = [camera.x + pan[0], camera.y + pan[1]];
    else return;
    event.preventDefault();
    move();
  });
}

function pictureBar() {
  const present = new Set(report.symbols.map((symbol) => GROUP[symbol.role]));
  const toggles = Object.entries(ROLES)
    .filter(([group]) => present.has(group))
    .map(([group, { title }]) => {
      const change = (event) => {
        if (event.target.checked) view.groups.add(group);
        else view.groups.delete(group);
        closeForReading();
        drawPicture();
      };
      return make(
        "label",
        {},
        make("input", { type: "checkbox", checked: view.groups.has(group), onchange: change }),
        ` ${title}`,
      );
    });
  const buttons = [
    ["−", "farther", () => zoom(0.8)],
    ["+", "nearer", () => zoom(1.25)],
    ["whole", "all of the picture", fit],
  ];
  return [
    ...toggles,
    make("span", { class: "space" }),
    ...buttons.map(([text, label, onclick]) => make("button", { type: "button", "aria-label": label, onclick }, text)),
  ];
}

function startPicture() {
  const canvas = find("#canvas");
  if (!canvas) return;
  find("#picture-bar").append(...pictureBar());
  startCamera(canvas);
  closeForReading();
  drawPicture();
  keepMiddle(canvas);
  listen((spot, how) => {
    for (const node of all(".node[data-node]", canvas))
      node.classList.toggle(how === "pin" ? "pinned" : "lit", Boolean(spot?.symbols.has(Number(node.dataset.node))));
  });
}
