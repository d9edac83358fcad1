// Point cloud: software splatting with a depth buffer onto a plain canvas; needs no graphics driver.
const pointCloud = (canvas, { points, focus, view: [across, down] }) => {
  // points: [{ x, y, z: Float32Array (metres, x right, y down, z forward), colour: Uint32Array (ABGR), hidden,
  //   spacing: distance of neighbouring rays at 1 m }]; focus: what the view turns about, metres;
  // view: width and height of the picture at 1 m, which fills the canvas at first.
  const context = canvas.getContext("2d");
  const home = { yaw: 0.35, pitch: 0.18, zoom: 1 };
  const view = { ...home };
  let pending = 0;

  const paint = () => {
    pending = 0;
    const ratio = Math.min(devicePixelRatio, 1.5);
    const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const nearest = new Float32Array(width * height).fill(Infinity);
    const [cy, sy, cp, sp] = [Math.cos(view.yaw), Math.sin(view.yaw), Math.cos(view.pitch), Math.sin(view.pitch)];
    const focal = 0.92 * Math.min(width / across, height / down) * view.zoom;
    for (const cloud of points) {
      if (cloud.hidden) continue;
      for (let i = 0; i < cloud.z.length; i += 1) {
        const dx = cloud.x[i] - focus.x, dy = cloud.y[i] - focus.y, dz = cloud.z[i] - focus.z;
        const side = cy * dx - sy * dz, ahead = sy * dx + cy * dz;
        const below = cp * dy + sp * ahead;
        const depth = cp * ahead - sp * dy + focus.z;
        if (depth < 0.05 * focus.z) continue;
        const scale = focal / depth;
        const half = Math.min(6, Math.max(0.5, 0.55 * cloud.spacing * cloud.z[i] * scale));
        const left = Math.max(0, Math.round(width / 2 + side * scale - half));
        const right = Math.min(width, Math.round(width / 2 + side * scale + half) || 1);
        const top = Math.max(0, Math.round(height / 2 + below * scale - half));
        const bottom = Math.min(height, Math.round(height / 2 + below * scale + half));
        for (let row = top; row < bottom; row += 1) {
          for (let at = row * width + left; at < row * width + right; at += 1) {
            if (depth < nearest[at]) { nearest[at] = depth; pixels[at] = cloud.colour[i]; }
          }
        }
      }
    }
    context.putImageData(image, 0, 0);
  };
  const repaint = () => { pending ||= requestAnimationFrame(paint); };
  const turn = (yaw, pitch) => {
    view.yaw += yaw;
    view.pitch = Math.min(1.5, Math.max(-1.5, view.pitch + pitch));
    repaint();
  };
  const zoom = (factor) => { view.zoom = Math.min(20, Math.max(0.2, view.zoom * factor)); repaint(); };
  const reset = () => { Object.assign(view, home); repaint(); };

  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) turn(0.008 * event.movementX, -0.008 * event.movementY);
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-0.0015 * event.deltaY));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const act = {
      ArrowLeft: () => turn(-0.1, 0), ArrowRight: () => turn(0.1, 0),
      ArrowUp: () => turn(0, 0.1), ArrowDown: () => turn(0, -0.1),
      "+": () => zoom(1.15), "=": () => zoom(1.15), "-": () => zoom(1 / 1.15), r: reset,
    }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
  new ResizeObserver(repaint).observe(canvas);
  repaint();
  return { repaint, reset };
};
