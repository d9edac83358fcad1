// Maps of metres: the codes of src/report/drawing/values.py unpacked, and what a pixel of them says.
const maps = (() => {
  const NEAREST = 1e-3, STEP = 2.5e-4, BROKEN = 65535;
  const unpacked = new WeakMap();

  const unpack = async (text) => {
    const planes = await inflate(text);
    const size = planes.length / 2;
    const codes = new Uint16Array(size);
    for (let i = 0, code = 0; i < size; i += 1) {
      code = (code + (planes[i] << 8) + planes[size + i]) & 65535;
      codes[i] = code;
    }
    return codes;
  };
  // A promise of the codes of a figure (its ground truth) or of a card (its prediction).
  const codes = (element) => {
    if (!unpacked.has(element)) unpacked.set(element, unpack(element.dataset.values));
    return unpacked.get(element);
  };
  const metres = (code) => (code > 0 && code < BROKEN ? NEAREST * Math.exp(STEP * (code - 1)) : NaN);
  // Size of the pictures, and of the coarser grid that values are kept on.
  const grid = (figure) => {
    const [height, width] = figure.dataset.shape.split(" ").map(Number);
    const step = Number(figure.dataset.stride);
    const count = (side) => Math.ceil((side - Math.floor(step / 2)) / step);
    return { height, width, step, first: Math.floor(step / 2), rows: count(height), columns: count(width) };
  };
  const place = (figure, x, y) => {
    const { height, width, step, rows, columns } = grid(figure);
    const column = Math.min(Math.floor(x * width / step), columns - 1);
    return Math.min(Math.floor(y * height / step), rows - 1) * columns + column;
  };
  const length = (value) => `${value < 10 ? value.toFixed(3) : value < 100 ? value.toFixed(2) : value.toFixed(1)} m`;
  const percent = (value) => `${value < 0 ? "−" : "+"}${Math.abs(100 * value).toFixed(1)} %`;
  const lines = (truth, found) => {
    const known = metres(truth);
    const told = [["truth", truth === 0 ? "none" : length(known)]];
    if (found !== undefined) {
      told.push(["prediction", found === BROKEN ? "not finite" : length(metres(found))]);
      if (truth !== 0) told.push(["error", found === BROKEN ? "not finite" : percent(metres(found) / known - 1)]);
    }
    return told;
  };
  return { codes, metres, grid, place, lines };
})();
