(() => {
  "use strict";
  // Colour theme: what the system prefers, until the reader says otherwise.
  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const remembered = (() => { try { return localStorage.getItem("leadline-theme"); } catch { return null; } })();
  if (remembered === "light" || remembered === "dark") document.documentElement.dataset.theme = remembered;
  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; theme.setAttribute("aria-label", `${theme.textContent} theme`); };
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const chosen = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = chosen;
    try { localStorage.setItem("leadline-theme", chosen); } catch { /* files opened from disk may have no storage */ }
    nameTheme();
  });
  system.addEventListener("change", nameTheme);
  nameTheme();

  // The list of sections folds on narrow screens.
  const menu = document.getElementById("menu"), bar = document.querySelector(".bar");
  menu.hidden = false;
  bar.classList.add("folds");
  const fold = (open) => { bar.classList.toggle("open", open); menu.setAttribute("aria-expanded", String(open)); };
  menu.addEventListener("click", () => fold(!bar.classList.contains("open")));
  bar.querySelector("nav").addEventListener("click", () => fold(false));
  bar.addEventListener("keydown", (event) => { if (event.key === "Escape") { fold(false); menu.focus(); } });
  const links = new Map([...bar.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const current = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const link = links.get(entry.target.id);
      if (entry.isIntersecting) link?.setAttribute("aria-current", "true"); else link?.removeAttribute("aria-current");
    }
  }, { rootMargin: "-20% 0px -75% 0px" });
  for (const section of document.querySelectorAll("main > section")) current.observe(section);

  // Explanations on the spot: of a word, from the list at the end; of a column, from the column.
  const tip = document.getElementById("tip");
  document.addEventListener("click", (event) => {
    const sign = event.target.closest?.(".tip");
    if (!sign || !tip.showPopover) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const term = sign.dataset.term && document.getElementById(`reading-${sign.dataset.term}`);
    if (term) tip.replaceChildren(...term.cloneNode(true).childNodes); else tip.textContent = sign.dataset.tip;
    if (tip.matches(":popover-open")) tip.hidePopover();
    tip.showPopover();
    const area = sign.getBoundingClientRect(), own = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(area.left, innerWidth - own.width - 8))}px`;
    tip.style.top = `${area.bottom + 6 + own.height < innerHeight ? area.bottom + 6 : Math.max(8, area.top - own.height - 6)}px`;
    document.getElementById("announce").textContent = tip.textContent.trim();
  }, true);
  addEventListener("scroll", () => { if (tip.matches(":popover-open")) tip.hidePopover(); }, { passive: true });

  // Sorting: ranked rows first, rows without a value last, whatever the direction.
  const say = document.getElementById("announce");
  const compare = (a, b, sign) => {
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
    const difference = Number(a) - Number(b);
    return sign * (Number.isNaN(difference) ? a.localeCompare(b, undefined, { numeric: true }) : difference);
  };
  const order = (heading, direction) => {
    const table = heading.closest("table");
    const column = heading.cellIndex;
    for (const other of table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const unranked = (row) => row.classList.contains("unranked");
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => unranked(a) - unranked(b)
      || compare(a.cells[column].dataset.value, b.cells[column].dataset.value, sign));
    table.tBodies[0].append(...rows);
  };
  const opposite = { ascending: "descending", descending: "ascending" };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".scores:not(.by-image) thead button[data-first]");
    if (!button) return;
    const heading = button.closest("th");
    const direction = opposite[heading.getAttribute("aria-sort")] ?? button.dataset.first;
    order(heading, direction);
    say.textContent = `Sorted by ${button.textContent.trim()}, ${direction}`;
    if (heading.dataset.key && heading.closest(".matrix")) page.set({ sort: `${heading.dataset.key}:${direction}` });
  });
  page.listen(({ sort }, root = document) => {
    const at = sort.lastIndexOf(":"), key = sort.slice(0, at), direction = sort.slice(at + 1);
    if (!opposite[direction]) return;
    for (const heading of root.querySelectorAll(".matrix thead th")) {
      if (heading.dataset.key === key && heading.getAttribute("aria-sort") !== direction) order(heading, direction);
    }
  });

  // Sharing and printing. On paper stands what is first on the page; everything is a choice of its own, and long.
  for (const hidden of bar.querySelectorAll(".actions, .find")) hidden.hidden = false;
  document.getElementById("share").addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(page.address()); say.textContent = "Link copied"; } catch { prompt("Link to what is shown", page.address()); }
  });
  const printed = () => document.querySelectorAll("details:is(.contest, .paper):not([open])");
  let opened = [];
  addEventListener("beforeprint", () => {
    document.body.classList.add("printing");
    if (document.body.classList.contains("everything")) { opened = [...printed()]; for (const details of opened) details.open = true; }
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
    opened = [];
    document.body.classList.remove("everything", "printing");
  });
  document.getElementById("print-all").addEventListener("click", async () => {
    document.body.classList.add("everything");
    await blocks.all();
    print();
  });
})();
