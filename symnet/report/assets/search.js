// Search: parameters, values, kernels and rules by any part of their name; arrows, Enter and Escape.

const MOST_FOUND = 12;
const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";

/** What is searched in: lower case, subscripts as digits, ∂ as d. */
const plain = (text) =>
  text
    .toLowerCase()
    .replace(/[₀-₉]/g, (letter) => SUBSCRIPTS.indexOf(letter))
    .replaceAll("∂", "d");

function searchEntries() {
  const cards = new Map(all("details.card").map((card) => [report.parameters[card.dataset.parameter].symbol, card]));
  const entries = report.symbols.map((symbol) => {
    const place = places.get(symbol.id) ?? cards.get(symbol.id);
    const go = () => (place ? goTo(place.id) : openNode(symbol.id));
    return {
      name: nameOf(symbol),
      kind: symbol.role,
      about: symbol.label ?? symbol.shape,
      show: () => formula(symbol.name),
      go,
    };
  });
  for (const kernel of report.kernels)
    entries.push({ name: kernel.name, kind: "kernel", about: kernel.note, go: () => goTo(`kernel:${kernel.name}`) });
  for (const rule of all("details.law"))
    entries.push({
      name: rule.id.slice(5),
      kind: "rule",
      about: find(".reason", rule).textContent,
      go: () => goTo(rule.id),
    });
  return entries.map((entry) => ({
    ...entry,
    keys: [plain(entry.name), plain(entry.name).replaceAll("δ", "delta"), plain(entry.about)],
  }));
}

function goTo(address) {
  history.replaceState(null, "", `#${address}`);
  follow(address);
}

/** The entries that match, best first: a whole name, a beginning, a part of it, a part of what it is about. */
function searched(entries, text) {
  const wanted = plain(text.trim());
  if (!wanted) return [];
  const rank = ({ keys: [name, spelt, about] }) => {
    if (name === wanted || spelt === wanted) return 0;
    if (about === wanted) return 1;
    if (name.startsWith(wanted) || spelt.startsWith(wanted)) return 2;
    if (name.includes(wanted) || spelt.includes(wanted)) return 3;
    return about.includes(wanted) ? 4 : 9;
  };
  return entries
    .map((entry, place) => ({ entry, rank: rank(entry), place }))
    .filter((one) => one.rank < 9)
    .sort((a, b) => a.rank - b.rank || a.place - b.place)
    .slice(0, MOST_FOUND)
    .map((one) => one.entry);
}

function startSearch() {
  const box = find("#search");
  const list = find("#found");
  let entries = null;
  let found = [];
  let chosen = 0;
  const close = () => {
    list.hidden = true;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  };
  const go = (entry) => {
    close();
    box.value = "";
    box.blur();
    entry.go();
  };
  const show = () => {
    entries ??= searchEntries();
    found = searched(entries, box.value);
    chosen = Math.min(chosen, Math.max(0, found.length - 1));
    const options = found.map((entry, place) =>
      make(
        "li",
        {
          role: "option",
          id: `found-${place}`,
          "aria-selected": String(place === chosen),
          onpointerdown: (event) => event.preventDefault(),
          onclick: () => go(entry),
        },
        make("span", { class: "kind" }, entry.kind),
        make("span", { class: "what" }, entry.show ? entry.show() : entry.name),
        make("small", {}, entry.about),
      ),
    );
    list.replaceChildren(...(options.length ? options : [make("li", { class: "none" }, "nothing found")]));
    list.hidden = !box.value.trim();
    box.setAttribute("aria-expanded", String(!list.hidden));
    if (found.length) box.setAttribute("aria-activedescendant", `found-${chosen}`);
  };
  box.addEventListener("input", () => {
    chosen = 0;
    show();
  });
  box.addEventListener("focus", show);
  box.addEventListener("blur", close);
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      chosen = (chosen + (event.key === "ArrowDown" ? 1 : -1) + found.length) % Math.max(1, found.length);
      show();
    } else if (event.key === "Enter" && found[chosen]) {
      event.preventDefault();
      go(found[chosen]);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      box.value = "";
      box.blur();
    }
  });
}
