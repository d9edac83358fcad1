// Gallery: values under the pointer, and the viewer with maps, a second model beside the first, and points.
(() => {
  const viewer = document.getElementById("viewer");
  const stage = viewer.querySelector(".stage");
  let cards = []; // those of the picture that is looked at
  const other = document.getElementById("viewer-other");
  const modes = [...viewer.querySelectorAll("[data-mode]")];
  const ASSUMED_VIEW = 60; // degrees, horizontally, where the data set does not know its camera
  const ERROR_LIMIT = Number(viewer.dataset.errorLimit);
  let current = 0;

  // Values: one small box under the pointer, and a dot at the same place on every map of the image.
  const box = document.createElement("dl");
  box.className = "probe";
  let latest = 0;
  const owners = (frame) => ({
    figure: frame.figure ?? frame.closest("figure"), card: frame.card ?? frame.closest(".card"),
  });
  const probe = async (frame, x, y) => {
    const { figure, card } = owners(frame);
    const mine = latest += 1;
    const codes = await Promise.all([figure, card].filter(Boolean).map(maps.codes));
    if (mine !== latest) return;
    const at = maps.place(figure, x, y);
    box.replaceChildren(...maps.lines(codes[0][at], codes[1]?.[at]).map(([name, value]) => {
      const line = document.createElement("div");
      line.append(Object.assign(document.createElement("dt"), { textContent: name }),
        Object.assign(document.createElement("dd"), { textContent: value }));
      return line;
    }));
    box.classList.toggle("left", x > 0.55);
    box.classList.toggle("above", y > 0.6);
    frame.append(box);
    const around = frame.closest(".stage") ?? figure;
    for (const forgotten of document.querySelectorAll(".probing")) forgotten.classList.remove("probing");
    around.classList.add("probing");
    around.style.setProperty("--x", `${100 * x}%`);
    around.style.setProperty("--y", `${100 * y}%`);
    Object.assign(frame.dataset, { x, y });
  };
  const leave = () => {
    latest += 1;
    box.remove();
    for (const around of document.querySelectorAll(".probing")) around.classList.remove("probing");
  };
  document.addEventListener("pointermove", (event) => {
    const frame = event.target.closest?.(".frame");
    if (!frame) { if (box.isConnected) leave(); return; }
    const area = frame.getBoundingClientRect();
    const inside = (value) => Math.min(0.9999, Math.max(0, value));
    probe(frame, inside((event.clientX - area.left) / area.width), inside((event.clientY - area.top) / area.height));
  });
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  document.addEventListener("keydown", (event) => {
    const frame = event.target.closest?.(".frame");
    if (!frame || !moves[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    const { figure } = owners(frame);
    const { rows, columns } = maps.grid(figure);
    const step = event.shiftKey ? 10 : 1;
    const moved = (value, by, count) => Math.min(1 - 0.5 / count, Math.max(0.5 / count, value + by * step / count));
    const [across, down] = moves[event.key];
    probe(frame, moved(Number(frame.dataset.x ?? 0.5), across, columns), moved(Number(frame.dataset.y ?? 0.5), down, rows))
      .then(() => { document.getElementById("announce").textContent = box.innerText.replaceAll("\n", " "); });
  }, true);

  // Viewer.
  const shot = (frame, caption) => {
    const element = document.createElement("div");
    element.className = "shot";
    element.append(frame, Object.assign(document.createElement("span"), { textContent: caption }));
    return element;
  };
  const copy = (original, figure, card, caption) => {
    const frame = original.querySelector(".frame").cloneNode(true);
    frame.querySelector(".probe")?.remove();
    Object.assign(frame, { figure, card, tabIndex: 0 });
    return shot(frame, caption ?? original.querySelector("span").textContent);
  };
  const part = (card, name) => card.querySelector(`.shot[data-part="${name}"]`);
  const rivals = (card) => [...card.parentElement.querySelectorAll(".card")].filter((one) => one !== card);
  const status = (text) => { document.getElementById("viewer-note").textContent = text; };

  const showMaps = (figure, card) => {
    const given = [...figure.querySelectorAll(".given .shot")].map((one) => copy(one, figure, card));
    stage.replaceChildren(...given, ...["prediction", "error"].map((name) => copy(part(card, name), figure, card)));
    status(card.dataset.note);
  };

  const blend = (from, to, share) => from.map((value, k) => Math.round(value + share * (to[k] - value)));
  const MIDDLE = [247, 247, 247], FIRST = [0, 104, 132], SECOND = [176, 84, 0], INVALID = [128, 128, 128];
  const showComparison = async (figure, card) => {
    const rival = rivals(card)[other.selectedIndex];
    const { rows, columns } = maps.grid(figure);
    const [truth, left, right] = await Promise.all([figure, card, rival].map(maps.codes));
    const canvas = Object.assign(document.createElement("canvas"), { width: columns, height: rows });
    canvas.setAttribute("role", "img");
    const context = canvas.getContext("2d");
    const image = context.createImageData(columns, rows);
    let counted = 0, nearer = 0, tied = 0;
    for (let i = 0; i < truth.length; i += 1) {
      const [z, a, b] = [truth[i], left[i], right[i]].map(maps.metres);
      const gain = (Math.abs(b - z) - Math.abs(a - z)) / z; // positive: the first is nearer to the truth
      const known = Number.isFinite(gain);
      if (known) { counted += 1; nearer += gain > 0; tied += gain === 0; }
      const strength = Math.min(1, Math.abs(gain) / ERROR_LIMIT);
      const colour = known ? blend(MIDDLE, gain > 0 ? FIRST : SECOND, strength) : INVALID;
      image.data.set([...colour, 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
    const frame = Object.assign(document.createElement("div"), { className: "frame", figure, card, tabIndex: 0 });
    frame.append(canvas);
    const [one, two] = [card, rival].map((it) => it.dataset.name);
    const share = (some) => `${Math.round(100 * some / counted)} %`;
    const told = counted
      ? `Nearer to the truth: ${one} at ${share(nearer)}, ${two} at ${share(counted - nearer - tied)} of the pixels drawn; equally near at ${share(tied)}.`
      : "No pixel to compare.";
    canvas.setAttribute("aria-label", told);
    const key = shot(frame, "");
    key.lastChild.innerHTML = `<span class="swatch"><i class="first"></i></span><span class="swatch"><i class="second"></i></span>`;
    key.lastChild.firstChild.append(`${one} nearer to the truth`);
    key.lastChild.lastChild.append(`${two} nearer`);
    stage.replaceChildren(
      copy(part(card, "error"), figure, card, `Error of ${one}`), copy(part(rival, "error"), figure, rival, `Error of ${two}`),
      key, copy(figure.querySelector(".given .shot"), figure, card));
    status(`${told} Strongest colours: ${Math.round(100 * ERROR_LIMIT)} % of the true depth or more.`);
  };

  const colours = (img, { width, height, step, first, rows, columns }) => {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(img, 0, 0, width, height);
    const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
    return Uint32Array.from({ length: rows * columns }, (_, i) =>
      pixels[(first + step * Math.floor(i / columns)) * width + first + step * (i % columns)]);
  };
  const showPoints = async (figure, card) => {
    const grid = maps.grid(figure);
    const assumed = !figure.dataset.camera;
    const focal = grid.width / 2 / Math.tan(ASSUMED_VIEW * Math.PI / 360);
    const [fx, fy, cx, cy] = assumed ? [focal, focal, grid.width / 2, grid.height / 2]
      : figure.dataset.camera.split(" ").map(Number);
    const farthest = 1.5 * Number(figure.dataset.far || Infinity);
    const images = { image: figure.querySelector(".given img"), error: part(card, "error").querySelector("img") };
    await Promise.all(Object.values(images).map((img) => img.decode()));
    const painted = { image: colours(images.image, grid), error: colours(images.error, grid) };
    const clouds = await Promise.all([card, figure].map(async (element) => {
      const z = Array.from(await maps.codes(element), maps.metres);
      const kept = [...z.keys()].filter((i) => z[i] <= farthest);
      const along = (axis) => Float32Array.from(kept, (i) => {
        const pixel = grid.first + grid.step * (axis ? Math.floor(i / grid.columns) : i % grid.columns) + 0.5;
        return z[i] * (axis ? (pixel - cy) / fy : (pixel - cx) / fx);
      });
      const own = (palette) => Uint32Array.from(kept, (i) => palette[i]);
      const dimmed = (palette) => own(palette).map((c) => (c & 0xfefefe) / 2 + 0xff000000 + 0x604020);
      return { x: along(0), y: along(1), z: Float32Array.from(kept, (i) => z[i]), spacing: grid.step / fx, own, dimmed, hidden: false };
    }));
    const [found, truth] = clouds;
    const middle = [...(truth.z.length ? truth : found).z].sort((a, b) => a - b)[Math.floor((truth.z.length || found.z.length) / 2)] ?? 1;
    const canvas = Object.assign(document.createElement("canvas"), { className: "cloud", tabIndex: 0 });
    canvas.setAttribute("aria-label", `Point cloud of ${card.dataset.label}; arrow keys turn it, plus and minus zoom, r resets`);
    canvas.setAttribute("role", "img");
    const choice = document.createElement("div");
    choice.className = "choice";
    const options = { prediction: "Prediction", truth: "Ground truth", both: "Both, truth tinted", error: "Prediction, coloured by error" };
    stage.replaceChildren(canvas, choice);
    const points = pointCloud(canvas, {
      points: clouds, focus: { x: 0, y: 0, z: middle }, view: [grid.width / fx, grid.height / fy],
    });
    const show = (what) => {
      found.hidden = what === "truth";
      truth.hidden = what === "prediction" || what === "error";
      found.colour = found.own(painted[what === "error" ? "error" : "image"]);
      truth.colour = (what === "both" ? truth.dimmed : truth.own)(painted.image);
      canvas.dataset.points = (found.hidden ? 0 : found.z.length) + (truth.hidden ? 0 : truth.z.length);
      points.repaint();
    };
    for (const [value, text] of Object.entries(options)) {
      const label = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "radio", name: "cloud", value, checked: value === "prediction" });
      input.addEventListener("change", () => show(value));
      label.append(input, text);
      choice.append(label);
    }
    show("prediction");
    canvas.focus();
    const camera = assumed ? `the camera is not known: a horizontal field of view of ${ASSUMED_VIEW}° is assumed, so shapes may be stretched along the view`
      : "camera of the data set";
    const limit = Number.isFinite(farthest) ? `; points beyond ${farthest.toFixed(1)} m are left out` : "";
    status(`${grid.step === 1 ? "Every pixel" : `One pixel of each ${grid.step} × ${grid.step}`} of the maps; ${camera}${limit}. Drag or use the arrow keys to turn, wheel or + − to zoom, R to reset.`);
  };

  const views = { maps: showMaps, compare: showComparison, points: showPoints };
  let mode = "maps";
  const render = () => {
    const card = cards[current], figure = card.closest("figure");
    leave();
    for (const button of modes) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    other.parentElement.hidden = mode !== "compare";
    stage.className = `stage ${mode}`;
    viewer.querySelector(".legend").hidden = mode === "points";
    viewer.dataset.ready = "";
    Promise.resolve(views[mode](figure, card)).then(() => { viewer.dataset.ready = mode; });
  };
  const show = (position, wanted = mode) => {
    current = (position + cards.length) % cards.length;
    const card = cards[current], figure = card.closest("figure"), others = rivals(card);
    other.replaceChildren(...others.map((one) => new Option(one.dataset.name)));
    modes.find((button) => button.dataset.mode === "compare").disabled = others.length === 0;
    mode = wanted === "compare" && others.length === 0 ? "maps" : wanted;
    viewer.querySelector(".legend").replaceChildren(...figure.querySelector(".legend").cloneNode(true).childNodes);
    document.getElementById("viewer-name").textContent = `${card.dataset.label}: ${figure.querySelector("h4").textContent}`;
    if (!viewer.open) viewer.showModal();
    render();
  };
  page.listen((state, root = document) => { for (const button of root.querySelectorAll(".enlarge")) button.hidden = false; });
  document.addEventListener("click", (event) => {
    const card = event.target.closest?.(".enlarge, .found .shot img")?.closest(".picture .card");
    if (!card) return;
    cards = [...card.closest(".pictures").querySelectorAll(".card")];
    show(cards.indexOf(card), "maps");
  });
  for (const button of modes) button.addEventListener("click", () => { mode = button.dataset.mode; render(); });
  other.addEventListener("change", render);
  viewer.querySelector(".close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("close", leave);
  viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
  viewer.addEventListener("keydown", (event) => {
    if (["SELECT", "INPUT"].includes(event.target.tagName)) return;
    if (event.key === "ArrowRight") show(current + 1);
    if (event.key === "ArrowLeft") show(current - 1);
  });
})();
