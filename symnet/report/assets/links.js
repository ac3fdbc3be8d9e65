// What belongs together. The document links symbol → kernel → line of the loop program → line of the LLVM IR → line of
// the assembly; here every link can be followed from both ends.
//
// A spot is what lights up together: {symbols, kernels, loops, llvm, asm, cuda}, sets of numbers, and `exact`, the rows
// of LLVM and assembly that belong to the very line pointed at. Rows of listings count from 0.

const report = await unpacked(find("#document").textContent);

/** The functions of a listing below each other, with an empty row between them. */
function joined(functions) {
  const rows = [];
  const owner = [];
  const start = [];
  for (const one of functions) {
    if (rows.length) {
      rows.push("");
      owner.push(-1);
    }
    start.push(rows.length);
    for (const line of one.text.split("\n")) {
      rows.push(line);
      owner.push(one.id);
    }
  }
  return { functions, rows, owner, start };
}

const loops = report.loops
  ? {
      rows: report.loops.text.replace(/\n$/, "").split("\n"),
      kernel: report.loops.kernel,
      symbols: report.loops.symbols,
    }
  : { rows: [], kernel: [], symbols: [] };
const llvm = joined(report.llvm ?? []);
const asm = joined(report.asm ?? []);

/** The CUDA C of the kernels below each other, where there is some. */
const cuda = { rows: [], kernel: [] };
for (const [kernel, text] of (report.cuda ?? []).entries()) {
  const lines = `${cuda.rows.length ? "\n" : ""}${text.trimEnd()}`.split("\n");
  cuda.rows.push(...lines);
  cuda.kernel.push(...lines.map((line) => (line ? kernel : -1)));
}

/** The row of each line of the whole LLVM text that is shown. */
const llvmRow = new Map();
for (const one of llvm.functions) {
  for (let line = 0; line < one.lines.length; line++) llvmRow.set(one.first + line, llvm.start[one.id] + line);
}

/** For each row of the assembly the row of LLVM it is made from, or -1; and the other way round. */
const asmSource = new Int32Array(asm.rows.length).fill(-1);
const asmOfLlvm = new Map();
for (const one of asm.functions) {
  one.lines.forEach((line, place) => {
    const row = llvmRow.get(line);
    if (row === undefined) return;
    asmSource[asm.start[one.id] + place] = row;
    if (!asmOfLlvm.has(row)) asmOfLlvm.set(row, []);
    asmOfLlvm.get(row).push(asm.start[one.id] + place);
  });
}
const asmOfFunction = Map.groupBy(asm.functions, (one) => one.llvm);

/** For each function of a kernel, the rows of each of its statements: statement (relative line) → rows. */
const statements = llvm.functions.map((one) => {
  const rows = new Map();
  if (one.role === "entry") return rows;
  one.lines.forEach((line, place) => {
    if (line < 0) return;
    if (!rows.has(line)) rows.set(line, []);
    rows.get(line).push(llvm.start[one.id] + place);
  });
  return rows;
});

const users = report.symbols.map(() => []);
for (const symbol of report.symbols) for (const used of symbol.uses) users[used].push(symbol.id);

const nothing = () => ({
  symbols: new Set(),
  kernels: new Set(),
  loops: new Set(),
  llvm: new Set(),
  asm: new Set(),
  cuda: new Set(),
  exact: null,
});

/** The statements of a kernel (lines relative to its first) and all that they become. */
function addStatements(spot, kernel, lines) {
  spot.kernels.add(kernel.id);
  for (const line of lines) {
    spot.loops.add(kernel.lines[0] - 1 + line);
    for (const number of kernel.functions) {
      for (const row of statements[number].get(line) ?? []) addLlvm(spot, row);
    }
  }
}

function addLlvm(spot, row) {
  spot.llvm.add(row);
  for (const made of asmOfLlvm.get(row) ?? []) spot.asm.add(made);
}

function addKernel(spot, kernel) {
  addStatements(
    spot,
    kernel,
    Array.from({ length: kernel.lines[1] - kernel.lines[0] + 1 }, (_, line) => line),
  );
  for (const number of kernel.functions) {
    addRows(spot.llvm, llvm, number);
    for (const one of asmOfFunction.get(number) ?? []) addRows(spot.asm, asm, one.id);
  }
}

function addRows(rows, listing, number) {
  const start = listing.start[number];
  for (let row = start; row < listing.rows.length && listing.owner[row] === number; row++) rows.add(row);
}

/** What belongs to a place: kind is "symbol", "kernel", "loops", "llvm", "asm" or "cuda", the number an id or a row. */
function spotOf(kind, number) {
  const spot = nothing();
  SPOTS[kind](spot, number);
  cuda.kernel.forEach((kernel, row) => spot.kernels.has(kernel) && spot.cuda.add(row));
  return spot;
}

const SPOTS = {
  symbol(spot, id) {
    spot.symbols.add(id);
    for (const number of report.symbols[id].kernels) {
      const kernel = report.kernels[number];
      const lines = [];
      for (let line = kernel.lines[0]; line <= kernel.lines[1]; line++) {
        if (loops.symbols[line - 1].includes(id)) lines.push(line - kernel.lines[0]);
      }
      addStatements(spot, kernel, lines);
    }
  },

  kernel(spot, number) {
    const kernel = report.kernels[number];
    addKernel(spot, kernel);
    for (const id of kernel.symbols) spot.symbols.add(id);
  },

  loops(spot, row) {
    const number = loops.kernel[row];
    if (number < 0) return void spot.loops.add(row);
    const kernel = report.kernels[number];
    if (row === kernel.lines[0] - 1) return SPOTS.kernel(spot, number);
    addStatements(spot, kernel, [row - kernel.lines[0] + 1]);
    for (const id of loops.symbols[row]) spot.symbols.add(id);
  },

  llvm(spot, row) {
    const owner = llvm.owner[row];
    if (owner < 0) return;
    const one = llvm.functions[owner];
    const line = one.lines[row - llvm.start[owner]];
    if (one.role === "entry") {
      if (line >= 0) SPOTS.kernel(spot, line);
    } else if (line >= 0) {
      for (const number of kernelsOf(one)) SPOTS.loops(spot, report.kernels[number].lines[0] - 1 + line);
    } else {
      for (const number of kernelsOf(one)) spot.kernels.add(number);
    }
    addLlvm(spot, row);
    spot.exact = { llvm: new Set([row]), asm: new Set(asmOfLlvm.get(row) ?? []) };
  },

  asm(spot, row) {
    const source = asmSource[row];
    if (source >= 0) {
      SPOTS.llvm(spot, source);
      spot.exact.asm = new Set([row]);
    } else if (asm.owner[row] >= 0) {
      for (const number of kernelsOf(llvm.functions[asm.functions[asm.owner[row]].llvm])) spot.kernels.add(number);
    }
    spot.asm.add(row);
  },

  cuda(spot, row) {
    if (cuda.kernel[row] >= 0) SPOTS.kernel(spot, cuda.kernel[row]);
  },
};

/** The kernels that a function is code of: where several share it, the one chosen last, if it is among them. */
function kernelsOf(one) {
  return one.kernels.includes(chosenKernel) ? [chosenKernel] : one.kernels.slice(0, 1);
}
let chosenKernel = -1;

const kernelOfLlvm = (row) => (llvm.owner[row] < 0 ? -1 : (kernelsOf(llvm.functions[llvm.owner[row]])[0] ?? -1));
const kernelOfAsm = (row) =>
  asm.owner[row] < 0 ? -1 : (kernelsOf(llvm.functions[asm.functions[asm.owner[row]].llvm])[0] ?? -1);

/** The statement of its kernel that a row belongs to, counted from the kernel's head: 0 for none. */
const STATEMENT = {
  loops: (row) => (loops.kernel[row] < 0 ? 0 : row + 1 - report.kernels[loops.kernel[row]].lines[0]),
  llvm(row) {
    const one = llvm.functions[llvm.owner[row]];
    return one && one.role !== "entry" ? Math.max(0, one.lines[row - llvm.start[one.id]]) : 0;
  },
  asm: (row) => (asmSource[row] < 0 ? 0 : STATEMENT.llvm(asmSource[row])),
  cuda: () => 0,
};
