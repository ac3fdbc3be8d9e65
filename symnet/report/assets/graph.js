// The graph of the picture: which nodes are shown, which layers are closed, and where dagre puts them.

// State and hyperparameters are left out: they are leaves that every update has.
const ROLES = {
  forward: { roles: ["input", "forward", "loss"], title: "forward" },
  parameter: { roles: ["parameter"], title: "parameters" },
  backward: { roles: ["backward"], title: "backward" },
  gradient: { roles: ["gradient"], title: "gradients" },
  update: { roles: ["update"], title: "updates" },
};
const GROUP = Object.fromEntries(
  Object.entries(ROLES).flatMap(([group, { roles }]) => roles.map((role) => [role, group])),
);
const MOST_NODES = 30;

const clusters = report.clusters ?? [];
const view = { groups: new Set(["forward"]), closed: new Set() };

/** The layers around a symbol, the outermost first. */
function layersOf(symbol) {
  const layers = [];
  for (let id = symbol.cluster; id !== null; id = clusters[id].parent) layers.unshift(id);
  return layers;
}

const isShown = (symbol) => view.groups.has(GROUP[symbol.role]);

/** What stands for a symbol in the picture: itself, or the outermost closed layer around it. */
function standIn(symbol) {
  const closed = layersOf(symbol).find((id) => view.closed.has(id));
  return closed === undefined ? `s${symbol.id}` : `c${closed}`;
}

/** Close layers, the innermost first, until the picture can be read. */
function closeForReading() {
  view.closed.clear();
  const depth = (id) => (clusters[id].parent === null ? 0 : 1 + depth(clusters[id].parent));
  const deepest = [...clusters].sort((a, b) => depth(b.id) - depth(a.id));
  for (let level = deepest.length ? depth(deepest[0].id) : -1; level >= 0 && countShown() > MOST_NODES; level--) {
    for (const one of deepest) if (depth(one.id) === level) view.closed.add(one.id);
  }
}

const countShown = () => new Set(report.symbols.filter(isShown).map(standIn)).size;

/** Edges between what is shown; what lies between but is hidden passes them on. */
function edgesShown() {
  const sources = new Map();
  for (const symbol of report.symbols) {
    const found = new Set();
    for (const id of symbol.uses) {
      const used = report.symbols[id];
      if (isShown(used)) found.add(standIn(used));
      else if (used.role !== "parameter") for (const source of sources.get(id) ?? []) found.add(source);
    }
    sources.set(symbol.id, found);
  }
  const edges = new Map();
  for (const symbol of report.symbols.filter(isShown)) {
    const target = standIn(symbol);
    for (const source of sources.get(symbol.id))
      if (source !== target) edges.set(`${source} ${target}`, [source, target]);
  }
  return [...edges.values()];
}

/**
 * Lay the graph out: {nodes: [{id, x, y, width, height, …}], layers: the open ones, edges: [{points}], loops: nodes that
 * need their own value of the step before, …}.
 */
function layout(sizeOf) {
  const graph = new dagre.graphlib.Graph({ compound: true });
  graph.setGraph({ rankdir: "TB", nodesep: 18, ranksep: 30, edgesep: 10, marginx: 14, marginy: 30 });
  graph.setDefaultEdgeLabel(() => ({}));
  const shown = new Map();
  for (const symbol of report.symbols.filter(isShown)) {
    const id = standIn(symbol);
    if (!shown.has(id)) shown.set(id, id[0] === "s" ? { symbol } : { layer: clusters[Number(id.slice(1))] });
  }
  const open = new Set();
  for (const [id, node] of shown) {
    graph.setNode(id, { ...sizeOf(node), ...node });
    const around = node.symbol ? layersOf(node.symbol) : layersOf({ cluster: node.layer.parent });
    around.forEach((layer, depth) => {
      open.add(layer);
      graph.setNode(`c${layer}`, { layer: clusters[layer] });
      if (depth) graph.setParent(`c${layer}`, `c${around[depth - 1]}`);
    });
    if (around.length) graph.setParent(id, `c${around.at(-1)}`);
  }
  for (const [source, target] of edgesShown()) graph.setEdge(source, target);
  dagre.layout(graph);
  const placed = (id) => ({ id, ...graph.node(id) });
  const recurring = [...shown.values()].filter(({ symbol }) => symbol?.recurs).map(({ symbol }) => `s${symbol.id}`);
  return {
    nodes: [...shown.keys()].map(placed),
    layers: [...open].map((layer) => placed(`c${layer}`)).sort((a, b) => b.width * b.height - a.width * a.height),
    edges: graph.edges().map((edge) => ({ source: edge.v, target: edge.w, points: graph.edge(edge).points })),
    loops: recurring.map(placed),
    width: graph.graph().width,
    height: graph.graph().height,
  };
}
