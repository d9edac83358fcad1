// What the reader has chosen, for the whole page at once; it stands in the address, so that a reload or a colleague sees the same.
const page = (() => {
  const pairs = JSON.parse(document.body.dataset.pairs);
  const protocol = document.getElementById("choice-protocol"), data = document.getElementById("choice-data");
  const first = { protocol: protocol?.value ?? "", data: pairs[protocol?.value]?.[0] ?? "" };
  const initial = { ...first, metric: "", find: "", ranked: "", zero: "", sort: "", sheet: "", by: "", open: "", shut: "" };
  const state = { ...initial };
  const listeners = [];
  let anchor = "";

  // The address: #where?key=value&key=value, of what differs from how the page opens.
  const read = () => {
    const [where, query = ""] = location.hash.slice(1).split("?");
    anchor = decodeURIComponent(where);
    return Object.fromEntries([...new URLSearchParams(query)].filter(([key]) => key in initial));
  };
  const address = () => {
    const said = new URLSearchParams(Object.entries(state).filter(([key, value]) => value !== initial[key]));
    const query = said.toString();
    return `#${encodeURIComponent(anchor)}${query && `?${query}`}`;
  };
  const write = () => {
    const wanted = address();
    if (wanted !== location.hash && (wanted !== "#" || location.hash)) history.replaceState(null, "", wanted === "#" ? location.pathname + location.search : wanted);
  };

  // What belongs to another protocol or data set is hidden; a section that is left without anything says so.
  const fits = (element) => (!element.dataset.protocol || element.dataset.protocol === state.protocol)
    && (!element.dataset.set || element.dataset.set === state.data);
  const TAGGED = "[data-protocol], [data-set]";
  const filter = (root) => {
    for (const element of root.querySelectorAll(TAGGED)) element.hidden = !fits(element);
    for (const row of root.querySelectorAll("[data-answer]")) row.classList.toggle("chosen", row.dataset.answer === state.protocol);
  };
  const emptiness = () => {
    for (const section of document.querySelectorAll("main > section")) {
      const parts = [...section.querySelectorAll(TAGGED)].filter((one) => one.parentElement.closest(TAGGED) === (section.matches(TAGGED) ? section : null));
      let note = section.querySelector(":scope > .nothing");
      if (parts.length === 0 || parts.some((one) => !one.hidden)) { note?.remove(); continue; }
      if (!note) { note = document.createElement("p"); note.className = "note nothing"; section.append(note); }
      const others = new Map(parts.map((one) => [`${one.dataset.protocol ?? state.protocol}\n${one.dataset.set ?? state.data}`, one]));
      note.replaceChildren(`Nothing here for ${state.protocol} on ${state.data}. There is for `, ...[...others.keys()].slice(0, 8).flatMap((key, k) => {
        const [p, d] = key.split("\n");
        const button = Object.assign(document.createElement("button"), { type: "button", className: "link", textContent: `${p} on ${d}` });
        button.addEventListener("click", () => set({ protocol: p, data: d }));
        return k ? [", ", button] : [button];
      }), ".");
    }
  };
  const controls = () => {
    if (!protocol) return;
    protocol.value = state.protocol;
    for (const option of data.options) {
      const there = pairs[state.protocol]?.includes(option.value);
      option.textContent = there ? option.value : `${option.value} (not under ${state.protocol})`;
    }
    data.value = state.data;
  };
  const apply = () => {
    controls();
    filter(document);
    emptiness();
    for (const listener of listeners) listener(state);
  };
  const set = (changes) => {
    const before = { ...state };
    Object.assign(state, changes);
    if (changes.protocol && changes.protocol !== before.protocol && !changes.data && !pairs[state.protocol]?.includes(state.data)) {
      state.data = pairs[state.protocol]?.[0] ?? state.data;
    }
    if (Object.keys(state).some((key) => state[key] !== before[key])) { apply(); write(); }
  };

  // Folded parts with an id: which are open that were not, and the other way round.
  const list = (key) => new Set(state[key].split(",").filter(Boolean));
  const folds = (root) => {
    const [open, shut] = [list("open"), list("shut")];
    for (const fold of root.querySelectorAll("details[id]")) {
      if (fold.dataset.opens === undefined) fold.dataset.opens = String(fold.open);
      if (open.has(fold.id)) fold.open = true;
      if (shut.has(fold.id)) fold.open = false;
    }
  };
  document.addEventListener("toggle", (event) => {
    const fold = event.target;
    if (fold.tagName !== "DETAILS" || !fold.id || fold.dataset.opens === undefined || document.body.classList.contains("printing")) return;
    const differs = String(fold.open) !== fold.dataset.opens;
    for (const [key, here] of [["open", differs && fold.open], ["shut", differs && !fold.open]]) {
      const names = list(key);
      names[here ? "add" : "delete"](fold.id);
      state[key] = [...names].join(",");
    }
    write();
  }, true);

  // Links: choose what the target belongs to, build and open what it is folded into, and stay there while more is built.
  let landing = 0;
  const land = async (id) => {
    const mine = landing += 1;
    const target = await blocks.reach(id);
    if (!target) return;
    const wanted = {};
    for (let up = target; up; up = up.parentElement) {
      if (up.dataset?.protocol) wanted.protocol = up.dataset.protocol;
      if (up.dataset?.set) wanted.data = up.dataset.set;
    }
    set(wanted);
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    document.querySelector(".landed")?.classList.remove("landed");
    target.classList.add("landed");
    const margin = () => Number.parseFloat(getComputedStyle(target).scrollMarginTop) || 0;
    for (let turn = 0, still = 0; turn < 40 && still < 3 && mine === landing; turn += 1) {
      target.scrollIntoView({ block: "start", behavior: "instant" });
      await blocks.settled();
      await new Promise((then) => { setTimeout(then, 30); });
      const off = target.getBoundingClientRect().top - margin();
      const last = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
      still = Math.abs(off) < 2 || last ? still + 1 : 0;
    }
    document.body.dataset.landed = id;
  };
  for (const word of ["wheel", "touchmove", "keydown", "pointerdown"]) addEventListener(word, () => { landing += 1; }, { passive: true, capture: true });
  const follow = () => {
    const said = read();
    if (location.hash.includes("?")) {
      Object.assign(state, initial, said);
      folds(document);
      apply();
    }
    write();
    if (anchor) land(anchor);
  };
  addEventListener("hashchange", follow);
  // the same link again: the address does not change, and yet the reader wants to go there
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const id = decodeURIComponent(link.getAttribute("href").slice(1));
    if (!id || id === "content") return;
    event.preventDefault();
    anchor = id;
    if (address() !== location.hash) history.pushState(null, "", address());
    land(id);
  });
  addEventListener("popstate", follow);

  blocks.each((block) => { filter(block); folds(block); for (const listener of listeners) listener(state, block); });
  const start = () => {
    folds(document);
    protocol?.addEventListener("change", () => set({ protocol: protocol.value }));
    data?.addEventListener("change", () => set({ data: data.value }));
    if (protocol) document.getElementById("choice").hidden = protocol.options.length < 2 && data.options.length < 2;
    const said = read();
    Object.assign(state, said);
    folds(document);
    apply();
    blocks.watch(document);
    if (anchor) land(anchor);
  };
  return { state, set, start, land, listen: (listener) => listeners.push(listener), address: () => location.href.split("#")[0] + address() };
})();
