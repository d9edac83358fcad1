(() => {
  // Leaderboard: one metric at a time, and filters; without scripts everything stands below everything else.
  const boards = [...document.querySelectorAll("article[data-board]")];
  for (const board of boards) {
    const group = board.querySelector(".metrics");
    const buttons = [...group.querySelectorAll("button")];
    const choose = (button) => {
      for (const other of buttons) {
        other.setAttribute("aria-pressed", String(other === button));
        document.getElementById(other.dataset.pane).hidden = other !== button;
      }
    };
    for (const button of buttons) button.addEventListener("click", () => choose(button));
    group.hidden = buttons.length < 2;
    choose(buttons[0]);
  }
  const find = document.getElementById("board-find");
  const protocol = document.getElementById("board-protocol");
  const ranked = document.getElementById("board-ranked");
  const zero = document.getElementById("board-zero");
  const say = document.getElementById("announce");
  const filter = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = new Set();
    for (const board of boards) {
      board.hidden = protocol.value !== "" && board.dataset.board !== protocol.value;
      for (const shown of board.querySelectorAll("[data-domain]")) shown.hidden = (shown.dataset.domain === "zero-shot") !== zero.checked;
      for (const table of board.querySelectorAll("table.matrix")) {
        for (const row of table.tBodies[0].rows) {
          const name = row.cells[0].dataset.value;
          const wanted = words.every((word) => name.toLowerCase().includes(word));
          row.hidden = !wanted || (ranked.checked && row.classList.contains("unranked"));
          if (!row.hidden && !board.hidden && !table.closest("[hidden]")) shown.add(name);
        }
      }
    }
    say.textContent = `${shown.size} models shown`;
  };
  find.addEventListener("input", filter);
  for (const control of [protocol, ranked, zero]) control.addEventListener("change", filter);
  document.getElementById("board-controls").hidden = false;
})();
