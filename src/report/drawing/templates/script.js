"use strict";
(() => {
  // Colour theme: what the system prefers, until the reader says otherwise.
  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const remembered = (() => { try { return localStorage.getItem("leadline-theme"); } catch { return null; } })();
  if (remembered === "light" || remembered === "dark") document.documentElement.dataset.theme = remembered;
  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { theme.textContent = isDark() ? "Light theme" : "Dark theme"; };
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const chosen = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = chosen;
    try { localStorage.setItem("leadline-theme", chosen); } catch { /* files opened from disk may have no storage */ }
    nameTheme();
  });
  system.addEventListener("change", nameTheme);
  nameTheme();

  // Sorting: ranked rows first, rows without a value last, whatever the direction.
  const say = document.getElementById("announce");
  const compare = (a, b, sign) => {
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
    const difference = Number(a) - Number(b);
    return sign * (Number.isNaN(difference) ? a.localeCompare(b, undefined, { numeric: true }) : difference);
  };
  const sortBy = (heading) => {
    const button = heading.querySelector("button");
    const table = heading.closest("table");
    const column = heading.cellIndex;
    const opposite = { ascending: "descending", descending: "ascending" };
    const direction = opposite[heading.getAttribute("aria-sort")] ?? button.dataset.first;
    for (const other of table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const unranked = (row) => row.classList.contains("unranked");
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => unranked(a) - unranked(b)
      || compare(a.cells[column].dataset.value, b.cells[column].dataset.value, sign));
    table.tBodies[0].append(...rows);
    say.textContent = `Sorted by ${button.textContent.trim()}, ${direction}`;
  };
  for (const button of document.querySelectorAll(".scores thead button")) {
    button.addEventListener("click", () => sortBy(button.closest("th")));
  }

  // Print folded tables, too. Further pictures and charts, and the numbers behind what is shown, only if they are open.
  const printed = () => document.querySelectorAll("details:is(.contest, .paper):not([open])");
  let opened = [];
  addEventListener("beforeprint", () => { opened = [...printed()]; for (const details of opened) details.open = true; });
  addEventListener("afterprint", () => { for (const details of opened) details.open = false; });
})();
