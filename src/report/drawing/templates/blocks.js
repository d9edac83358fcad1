// Parts of the page that are packed: built when they come near the window, are linked to, or are printed.
const blocks = (() => {
  const building = new WeakMap();
  const after = []; // what is done to every new part
  const build = (block) => {
    if (!block.classList.contains("packed")) return Promise.resolve(block);
    if (!building.has(block)) {
      building.set(block, inflate(block.firstElementChild.textContent).then((bytes) => {
        const template = document.createElement("template");
        template.innerHTML = new TextDecoder().decode(bytes);
        block.replaceChildren(template.content);
        block.classList.remove("packed");
        watch(block);
        for (const then of after) then(block);
        return block;
      }));
    }
    return building.get(block);
  };
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { near.unobserve(entry.target); build(entry.target); }
  }, { rootMargin: "500px 0px" });
  const watch = (root) => { for (const block of root.querySelectorAll(".block.packed")) near.observe(block); };
  // The element of an id, built if need be; nothing if there is none.
  const reach = async (id) => {
    for (;;) {
      const found = document.getElementById(id);
      if (found) return found;
      const holder = [...document.querySelectorAll(".block.packed[data-ids]")].find((one) => one.dataset.ids.split(" ").includes(id));
      if (!holder) return null;
      await build(holder);
    }
  };
  const visible = (element) => element.checkVisibility?.() ?? element.offsetParent !== null;
  // Until no packed part is left in the window.
  const settled = async () => {
    for (;;) {
      const open = [...document.querySelectorAll(".block.packed")].filter((block) => {
        if (!visible(block)) return false;
        const area = block.getBoundingClientRect();
        return area.bottom > -200 && area.top < innerHeight + 200;
      });
      if (!open.length) return;
      await Promise.all(open.map(build));
    }
  };
  const all = async (filter = () => true) => {
    for (;;) {
      const open = [...document.querySelectorAll(".block.packed")].filter(filter);
      if (!open.length) return;
      await Promise.all(open.map(build));
    }
  };
  return { build, watch, reach, settled, all, each: (then) => after.push(then) };
})();
