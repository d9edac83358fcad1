// Image by image: a table of one metric at a time, drawn page by page from packed columns.
(() => {
  const PAGE = 25, NONE = 2 ** 32 - 1;
  const { images, sheets } = JSON.parse(document.getElementById("images-data").textContent);
  const control = (name) => document.getElementById(`images-${name}`);
  const [sheetChoice, metricChoice, find, only, one, two] = ["sheet", "metric", "find", "only", "one", "two"].map(control);
  const cache = new WeakMap();
  const once = (owner, make) => {
    if (!cache.has(owner)) cache.set(owner, make());
    return cache.get(owner);
  };

  // The way back from src/report/drawing/images.py.
  const numbers = async (text, decimals) => {
    const bytes = await inflate(text), n = bytes.length / 4;
    return Float64Array.from({ length: n }, (_, i) => {
      const code = (bytes[i] << 24 | bytes[n + i] << 16 | bytes[2 * n + i] << 8 | bytes[3 * n + i]) >>> 0;
      if (code >= NONE - 1) return code === NONE ? NaN : Infinity;
      return (code % 2 ? -(code + 1) / 2 : code / 2) / 10 ** decimals;
    });
  };
  const lines = async (text) => new TextDecoder().decode(await inflate(text)).split("\n");
  const unpackImages = async ({ names, slices, pixels }) =>
    ({ names: await lines(names), slices: await lines(slices), pixels: await numbers(pixels, 0) });

  // Pictures of the gallery, by data variant and image; most are built only when they are looked at.
  const figures = new Map();
  for (const one of JSON.parse(document.getElementById("pictures-index")?.dataset.index ?? "[]")) {
    const key = `${one.set}\n${one.name}`;
    if (!figures.has(key)) figures.set(key, one);
  }

  const state = { sort: "median", direction: undefined, page: 0 };
  let view; // what is drawn: of one sheet by one metric

  const load = async () => {
    const sheet = sheets[sheetChoice.value], metric = sheet.metrics[metricChoice.value];
    const shared = images[sheet.images];
    const [{ names, slices, pixels }, values, status] = await Promise.all([
      once(shared, () => unpackImages(shared)), once(metric, () => numbers(metric.values, metric.decimals)), once(sheet, () => inflate(sheet.status)),
    ]);
    const n = names.length, models = sheet.models;
    const value = (model, i) => values[model * n + i];
    const median = (i) => {
      const known = models.flatMap((model, k) => (model.unranked || Number.isNaN(value(k, i)) ? [] : [value(k, i)])).sort((a, b) => a - b);
      const middle = known.length >> 1;
      return known.length % 2 ? known[middle] : (known[middle - 1] + known[middle]) / 2; // NaN of none
    };
    const best = (i) => {
      const known = models.flatMap((model, k) => (model.unranked || Number.isNaN(value(k, i)) ? [] : [value(k, i)]));
      return known.length < 2 ? NaN : Math[metric.higher ? "max" : "min"](...known);
    };
    const medians = Float64Array.from({ length: n }, (_, i) => median(i));
    const figureOf = names.map((name) => figures.get(`${sheet.data}\n${name}`));
    return { sheet, metric, models, names, slices, pixels, status, value, best, medians, figureOf, n };
  };

  const columns = () => {
    const { metric, models, names, slices, pixels, value, medians } = view;
    const worstFirst = metric.higher ? "ascending" : "descending";
    const [a, b] = [Number(one.value), Number(two.value)];
    const list = [
      { key: "name", title: "Image", first: "ascending", of: (i) => names[i] },
      { key: "slice", title: "Slice", first: "ascending", of: (i) => slices[i], hidden: slices.every((name) => name === slices[0]) },
      { key: "pixels", title: "Pixels", first: "ascending", of: (i) => pixels[i], hidden: pixels.every((count) => count === pixels[0]) },
      { key: "median", title: "Median", unit: "of ranked models", first: worstFirst, of: (i) => medians[i] },
      ...models.map((model, k) => ({ key: `model-${k}`, title: model.name, aside: model.unranked, unit: model.unranked ? "not ranked" : "", first: worstFirst, of: (i) => value(k, i), model: k })),
      { key: "minus", title: `${models[a].name} − ${models[b].name}`, first: "descending", of: (i) => value(a, i) - value(b, i), hidden: models.length < 2 },
    ];
    return list.filter((column) => !column.hidden);
  };

  const chosen = (column) => {
    const { names, slices, status, models, figureOf, n } = view;
    const wanted = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const lost = (i) => models.some((_, k) => status[k * n + i] > 0);
    const kept = names.map((_, i) => i).filter((i) => {
      const text = `${names[i]} ${slices[i]}`.toLowerCase();
      return wanted.every((word) => text.includes(word))
        && (only.value === "all" || (only.value === "pictures" ? Boolean(figureOf[i]) : lost(i)));
    });
    const sign = state.direction === "ascending" ? 1 : -1;
    const none = (value) => typeof value === "number" && Number.isNaN(value);
    const keyed = kept.map((i) => [i, column.of(i)]);
    keyed.sort(([i, a], [j, b]) => none(a) - none(b)
      || (none(a) ? 0 : sign * (typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b)) || i - j);
    return keyed.map(([i]) => i);
  };

  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const link = (id, text) => (id ? element("a", { href: `#${id}` }, text) : text);

  const bodyCell = (column, i, best) => {
    const { metric, status, sheet, figureOf, n } = view;
    const figure = figureOf[i];
    if (column.key === "name") return element("th", { scope: "row" }, link(figure?.id, view.names[i]));
    if (column.key === "slice") return element("td", { className: "slice" }, view.slices[i]);
    const value = column.of(i);
    if (column.key === "pixels") return element("td", {}, value.toLocaleString("en"));
    const cell = element("td", { className: column.key === "minus" ? "minus" : "" });
    cell.classList.toggle("aside", Boolean(column.aside));
    if (column.model !== undefined) {
      const mark = status[column.model * n + i];
      const card = figure?.cards[`${column.title}, ${sheet.protocol}`];
      cell.classList.toggle("best", !column.aside && value === best);
      cell.classList.toggle("lost", mark === 1);
      cell.append(link(card, mark ? ["", "failed", "skipped"][mark] : Number.isNaN(value) ? "–" : value.toFixed(metric.decimals)));
    } else {
      const plus = column.key === "minus" && value > 0 ? "+" : "";
      cell.append(Number.isNaN(value) ? "–" : plus + value.toFixed(metric.decimals).replace("-", "−"));
    }
    return cell;
  };

  const breakable = (text) => text.split(/(?<=_)/).flatMap((part, k) => (k ? [element("wbr"), part] : [part]));
  const heading = (column) => {
    const button = element("button", { type: "button" }, ...breakable(column.title));
    button.dataset.key = column.key;
    const cell = element("th", { scope: "col", className: { minus: "minus", slice: "slice" }[column.key] ?? "" }, button);
    cell.classList.toggle("aside", Boolean(column.aside));
    if (column.unit) cell.append(element("span", { className: "unit" }, column.unit));
    if (column.key === state.sort) cell.setAttribute("aria-sort", state.direction);
    return cell;
  };

  const draw = () => {
    const all = columns();
    const sorted = all.find((column) => column.key === state.sort) ?? all[0];
    Object.assign(state, { sort: sorted.key, direction: state.direction ?? sorted.first });
    const rows = chosen(sorted);
    state.page = Math.max(0, Math.min(state.page, Math.ceil(rows.length / PAGE) - 1));
    const shown = rows.slice(state.page * PAGE, (state.page + 1) * PAGE);
    const { sheet, metric } = view;
    const label = `${metric.label}${metric.unit && metric.unit !== "fraction" ? `, ${metric.unit}` : ""}, ${metric.higher ? "higher" : "lower"} is better`;
    const table = element("table", { className: "scores by-image" },
      element("caption", { className: "unseen" }, `${sheet.title} under ${sheet.label}: ${label}`),
      element("thead", {}, element("tr", {}, ...all.map(heading))),
      element("tbody", {}, ...shown.map((i) => {
        const best = view.best(i);
        return element("tr", {}, ...all.map((column) => bodyCell(column, i, best)));
      })));
    table.tHead.addEventListener("click", (event) => {
      const key = event.target.closest("button")?.dataset.key;
      if (!key) return;
      const opposite = { ascending: "descending", descending: "ascending" };
      Object.assign(state, { sort: key, direction: key === state.sort ? opposite[state.direction] : undefined, page: 0 });
      draw();
      document.querySelector(`.by-image thead [data-key="${key}"]`).focus({ preventScroll: true });
    });
    control("table").replaceChildren(table);
    const from = rows.length ? state.page * PAGE + 1 : 0;
    control("status").textContent = `${from} to ${from ? from + shown.length - 1 : 0} of ${rows.length} images, ${label}; sorted by ${sorted.title}, ${state.direction}`;
    control("back").disabled = state.page === 0;
    control("on").disabled = (state.page + 1) * PAGE >= rows.length;
  };

  const refill = (choice, texts, selected = 0) => {
    choice.replaceChildren(...texts.map((text, place) => new Option(text, place, place === selected, place === selected)));
  };
  const open = async () => { view = await load(); draw(); };
  const openSheet = (by) => {
    const { metrics, models } = sheets[sheetChoice.value];
    refill(metricChoice, metrics.map((metric) => metric.label), metrics[by] ? Number(by) : 0);
    refill(one, models.map((model) => model.name));
    refill(two, models.map((model) => model.name), Math.min(1, models.length - 1));
    one.closest(".against").hidden = models.length < 2;
    Object.assign(state, { sort: "median", direction: undefined, page: 0 });
    return open();
  };
  const again = () => { state.page = 0; draw(); };
  // The sheets of the page's protocol and data set; nothing is unpacked before the table is near.
  let near = false, shown = "";
  const follow = ({ protocol, data, sheet, by }, root) => {
    if (root) return;
    const fitting = sheets.map((one, place) => place).filter((place) => sheets[place].protocol === protocol && sheets[place].data === data);
    const wanted = `${fitting} ${sheet} ${by}`;
    if (!near || wanted === shown) return;
    shown = wanted;
    control("none").hidden = fitting.length > 0;
    for (const name of ["controls", "table"]) control(name).hidden = fitting.length === 0;
    document.querySelector(".pager").hidden = fitting.length === 0;
    if (fitting.length === 0) { control("none").textContent = `No image was scored under ${protocol} on ${data}.`; return; }
    sheetChoice.replaceChildren(...fitting.map((place) => new Option(`${sheets[place].title}: ${sheets[place].label}`, place)));
    sheetChoice.value = fitting.includes(Number(sheet)) && sheet !== "" ? sheet : String(fitting[0]);
    sheetChoice.closest("label").hidden = fitting.length < 2;
    openSheet(by);
  };
  page.listen(follow);
  new IntersectionObserver(([entry]) => {
    if (entry.isIntersecting && !near) { near = true; follow(page.state); }
  }, { rootMargin: "400px 0px" }).observe(document.getElementById("images"));
  sheetChoice.addEventListener("change", () => page.set({ sheet: sheetChoice.value === sheetChoice.options[0].value ? "" : sheetChoice.value, by: "" }));
  metricChoice.addEventListener("change", () => page.set({ by: metricChoice.value === "0" ? "" : metricChoice.value }));
  find.addEventListener("input", again);
  only.addEventListener("change", again);
  for (const choice of [one, two]) choice.addEventListener("change", () => { Object.assign(state, { sort: "minus", direction: "descending" }); again(); });
  for (const [name, step] of [["back", -1], ["on", 1]]) control(name).addEventListener("click", () => { state.page += step; draw(); });
})();
