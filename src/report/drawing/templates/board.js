(() => {
  // Leaderboard: one metric at a time, and filters; without scripts everything stands below everything else.
  const boards = [...document.querySelectorAll("article[data-board]")];
  const find = document.getElementById("choice-find");
  const ranked = document.getElementById("board-ranked");
  const zero = document.getElementById("board-zero");
  const say = document.getElementById("announce");
  for (const board of boards) {
    const group = board.querySelector(".metrics");
    group.hidden = group.children.length < 2;
    group.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) page.set({ metric: button === group.firstElementChild ? "" : button.dataset.metric });
    });
  }
  const rows = (state, root) => {
    const words = state.find.toLowerCase().split(/\s+/).filter(Boolean);
    for (const table of root.querySelectorAll("table.matrix")) {
      for (const row of table.tBodies[0].rows) {
        const name = row.cells[0].dataset.value.toLowerCase();
        row.hidden = !words.every((word) => name.includes(word)) || (state.ranked && row.classList.contains("unranked"));
      }
    }
  };
  page.listen((state, root) => {
    rows(state, root ?? document);
    if (root) return;
    for (const board of boards) {
      const buttons = [...board.querySelectorAll(".metrics button")];
      const chosen = buttons.find((button) => button.dataset.metric === state.metric) ?? buttons[0];
      for (const button of buttons) {
        button.setAttribute("aria-pressed", String(button === chosen));
        document.getElementById(button.dataset.pane).hidden = button !== chosen;
      }
      for (const part of board.querySelectorAll("[data-domain]")) part.hidden = (part.dataset.domain === "zero-shot") !== Boolean(state.zero);
    }
    if (document.activeElement !== find) find.value = state.find;
    ranked.checked = Boolean(state.ranked);
    zero.checked = Boolean(state.zero);
  });
  const count = () => {
    const shown = [...document.querySelectorAll("table.matrix tbody tr:not([hidden]) > th")].filter((cell) => cell.offsetParent);
    say.textContent = `${new Set(shown.map((cell) => cell.dataset.value)).size} models shown`;
  };
  find.addEventListener("input", () => { page.set({ find: find.value.trim() }); count(); });
  ranked.addEventListener("change", () => { page.set({ ranked: ranked.checked ? "1" : "" }); count(); });
  zero.addEventListener("change", () => { page.set({ zero: zero.checked ? "1" : "" }); count(); });
  document.getElementById("board-controls").hidden = false;
})();
