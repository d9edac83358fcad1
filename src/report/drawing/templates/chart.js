(() => {
  // Charts: what is pointed at, pressed or searched for stands out; each can be saved as it stands, with its names.
  const light = (figure, wanted) => {
    figure.classList.toggle("some", wanted !== null);
    for (const line of figure.querySelectorAll("[data-line]")) line.classList.toggle("lit", wanted !== null && wanted(line));
  };
  let searched = "";
  const rest = (figure) => {
    const pressed = new Set([...figure.querySelectorAll('.key [aria-pressed="true"]')].map((button) => button.parentElement.dataset.line));
    const words = searched.toLowerCase().split(/\s+/).filter(Boolean);
    const meant = (line) => pressed.has(line.dataset.line) || (words.length > 0 && words.every((word) => line.dataset.name.toLowerCase().includes(word)));
    const any = [...figure.querySelectorAll("[data-line]")].some(meant);
    light(figure, any ? meant : null);
  };
  const over = (event) => {
    const line = event.target.closest?.(".chart [data-line]");
    if (line) light(line.closest(".chart"), (one) => one.dataset.line === line.dataset.line);
  };
  document.addEventListener("pointerover", over);
  document.addEventListener("focusin", over);
  for (const word of ["pointerout", "focusout"]) document.addEventListener(word, (event) => {
    const figure = event.target.closest?.(".chart");
    if (figure) rest(figure);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".key button");
    if (!button) return;
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    rest(button.closest(".chart"));
  });
  page.listen((state, root = document) => {
    searched = state.find;
    for (const figure of root.querySelectorAll(".chart")) rest(figure);
    for (const line of root.querySelectorAll(".save")) line.hidden = false;
  });

  // A drawing of its own: colours and fonts written out, title above, names below.
  const SPACE = "http" + "://www.w3.org/2000/svg";
  const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "stroke-linejoin", "paint-order", "font-size", "font-style", "font-weight", "color"];
  const written = (from, to) => {
    const style = getComputedStyle(from);
    for (const name of STYLES) to.setAttribute(name, style.getPropertyValue(name).replaceAll("px", ""));
    to.removeAttribute("class");
    [...from.children].forEach((child, place) => written(child, to.children[place]));
  };
  const text = (x, y, words, ink, more = {}) => {
    const made = document.createElementNS(SPACE, "text");
    for (const [key, value] of Object.entries({ x, y, fill: ink, "font-size": 11, ...more })) made.setAttribute(key, value);
    made.textContent = words;
    return made;
  };
  const drawing = (figure) => {
    const own = figure.querySelector(".drawing svg");
    const copy = own.cloneNode(true);
    written(own, copy);
    const [, , width, height] = own.viewBox.baseVal ? [0, 0, own.viewBox.baseVal.width, own.viewBox.baseVal.height] : [0, 0, 420, 290];
    const keys = [...figure.querySelectorAll(".key li")];
    const longest = Math.max(...keys.map((key) => key.innerText.length));
    const columns = longest * 6.2 + 40 > width / 2 ? 1 : 2;
    const lines = Math.ceil(keys.length / columns);
    const wide = Math.max(width, longest * 6.2 + 50), tall = 24 + height + 8 + 15 * lines + 6;
    const whole = document.createElementNS(SPACE, "svg");
    const ink = getComputedStyle(document.body).color;
    for (const [key, value] of Object.entries({ xmlns: SPACE, viewBox: `0 0 ${wide} ${tall}`, width: wide, height: tall, "font-family": "sans-serif" })) whole.setAttribute(key, value);
    const ground = document.createElementNS(SPACE, "rect");
    for (const [key, value] of Object.entries({ width: "100%", height: "100%", fill: getComputedStyle(figure.querySelector(".drawing")).backgroundColor })) ground.setAttribute(key, value);
    for (const [key, value] of Object.entries({ x: 0, y: 24, width, height })) copy.setAttribute(key, value);
    whole.append(ground, text(8, 16, figure.querySelector("figcaption").innerText, ink, { "font-weight": 600, "font-size": 12 }), copy);
    keys.forEach((key, place) => {
      const x = 10 + Math.floor(place / lines) * (wide / columns), y = 24 + height + 14 + 15 * (place % lines);
      const mark = document.createElementNS(SPACE, "g");
      const path = key.querySelector("svg .mark"), clone = path.cloneNode();
      written(path, clone);
      mark.setAttribute("transform", `translate(${x + 6} ${y - 4})`);
      mark.setAttribute("color", getComputedStyle(path).color);
      clone.setAttribute("d", clone.getAttribute("d").replace(/^M5 0/, "M0 0"));
      mark.append(clone);
      whole.append(mark, text(x + 18, y, key.innerText.replace(/\s+/g, " "), ink));
    });
    return { markup: new XMLSerializer().serializeToString(whole), wide, tall };
  };
  const save = (blob, name) => {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".save [data-save]");
    if (!button) return;
    const figure = button.closest(".chart");
    const { markup, wide, tall } = drawing(figure);
    const name = `${figure.id}.${button.dataset.save}`;
    figure.dataset.saved = String(markup.length);
    if (button.dataset.save === "svg") { save(new Blob([markup], { type: "image/svg+xml" }), name); return; }
    const image = new Image();
    image.onload = () => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 3 * wide, height: 3 * tall });
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => { figure.dataset.png = String(blob.size); save(blob, name); }, "image/png");
    };
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(markup)}`;
  });
})();
