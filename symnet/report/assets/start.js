// Everything in its order, then the keys and the address.

function startTheme() {
  let kept = null;
  try {
    kept = localStorage.getItem("symnet-theme");
  } catch {
    // A page from a file may not be allowed to keep anything: the system's choice holds then.
  }
  const set = (theme) => theme && (document.documentElement.dataset.theme = theme);
  set(kept);
  find("#theme").addEventListener("click", () => {
    const dark =
      getComputedStyle(document.documentElement).colorScheme.startsWith("dark") ||
      (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    set(dark ? "light" : "dark");
    try {
      localStorage.setItem("symnet-theme", document.documentElement.dataset.theme);
    } catch {
      // As above.
    }
  });
}

function startKeys() {
  const help = find("#help");
  find("#keys").addEventListener("click", () => help.showModal());
  find("#help-close").addEventListener("click", () => help.close());
  document.addEventListener("keydown", (event) => {
    if (typing(event) || event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const command = {
      "/": () => find("#search").focus(),
      "?": () => help.showModal(),
      n: () => stepKernel(1),
      p: () => stepKernel(-1),
      Escape: escape,
    }[event.key];
    if (!command) return;
    event.preventDefault();
    command();
  });
}

/** Escape closes the innermost thing that is open, at last the selection. */
function escape() {
  if (closeNode()) return;
  const full = find("#code.full");
  if (full) return void fillWindow(full);
  point();
  pin();
}

/** The part of the page that is being read is marked in the table of contents. */
function startContents() {
  const links = new Map(all(".toc > li > a").map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) links.get(target.id)?.classList.toggle("here", isIntersecting);
    },
    { rootMargin: "-25% 0px -75% 0px" },
  );
  for (const id of links.keys()) if (document.getElementById(id)) seen.observe(document.getElementById(id));
}

function startAddress() {
  const arrive = () => location.hash.length > 1 && follow(decodeURIComponent(location.hash.slice(1)));
  addEventListener("hashchange", arrive);
  arrive();
}

/** What is out of sight is laid out after the rest; in a large report when the reader comes to it. */
function startLayout() {
  const all = () => document.body.classList.remove("lazy");
  if (location.hash)
    all(); // else what is laid out later moves the place that the address names
  else if (report.symbols.length <= MOST_AT_ONCE) setTimeout(all, 100);
}

const MOST_AT_ONCE = 400;

startTheme();
startFormulas();
startCode();
const example = wayDown();
startCost();
startMemory();
startSearch();
startKeys();
startContents();
startPicture();
startWrapping();
if (example) tell(example, "pin");
startLayout();
startAddress();
document.documentElement.dataset.ready = performance.now().toFixed();
