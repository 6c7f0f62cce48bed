// The canvas of the map: all paintings from sheets of thumbnails, panned and zoomed.

const SMALL = 16; // pixels of the thumbnails for far zoom
const GAP = 0.15; // share of a cell of the grid
const DOT = 5; // pixels of the longer side below which a painting is a dot

class Canvas {
  // `data`: x, y, column, row, width, height and colour of each painting; side, sheets.
  // `look`: functions isShown(i), isSelected(i), hasSelection(), and frameOf(i), a colour
  // or null.
  constructor(canvas, data, look) {
    Object.assign(this, { canvas, data, look });
    this.n = data.x.length;
    this.context = canvas.getContext("2d", { alpha: false });
    this.perRow = Math.floor(data.sheetSide / data.side);
    this.sheets = data.sheets.map(() => null);
    this.blend = 0; // 0: map, 1: grid
    this.picked = null;
    this.polygon = null;
    this.columns = Math.max(...data.column) + 1;
    this.rows = Math.max(...data.row) + 1;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    new ResizeObserver(() => this.resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.resize();
    this.ready = this.decode();
  }

  async decode() {
    await Promise.all(
      this.data.sheets.map(async (uri, k) => {
        const bytes = Uint8Array.from(atob(uri), (sign) => sign.charCodeAt(0));
        const blob = new Blob([bytes], { type: "image/jpeg" });
        this.sheets[k] = await createImageBitmap(blob);
        this.data.sheets[k] = null; // frees the text
        this.draw();
      }),
    );
    this.small = document.createElement("canvas");
    this.smallPerRow = Math.ceil(Math.sqrt(this.n));
    this.small.width = this.small.height = this.smallPerRow * SMALL;
    const context = this.small.getContext("2d");
    context.imageSmoothingQuality = "high";
    for (let i = 0; i < this.n; i++) {
      const [sheet, left, top, width, height] = this.source(i);
      const scale = SMALL / Math.max(width, height);
      const x = (i % this.smallPerRow) * SMALL, y = Math.floor(i / this.smallPerRow) * SMALL;
      context.drawImage(sheet, left, top, width, height, x, y, width * scale, height * scale);
    }
    this.draw();
  }

  // Return where the thumbnail of a painting lies: sheet, left, top, width, height.
  source(i) {
    const { data, perRow } = this;
    const place = i % perRow ** 2;
    return [
      this.sheets[Math.floor(i / perRow ** 2)],
      (place % perRow) * data.side,
      Math.floor(place / perRow) * data.side,
      data.width[i],
      data.height[i],
    ];
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return; // not shown
    const whole = !this.width || this.isWhole();
    const ratio = Math.min(devicePixelRatio, 2);
    Object.assign(this, { width, height, ratio });
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    if (whole) Object.assign(this, this.fit());
    this.draw(true);
  }

  // Return the view of all paintings: scale in pixels, and offsets.
  fit(blend = this.blend) {
    const margin = blend < 0.5 ? Math.max(24, this.mapSize() / 2 + 10) : 16;
    const [w, h] = blend < 0.5 ? this.data.extent : [1, this.rows / this.columns];
    const scale = Math.min(
      (this.width - 2 * margin) / Math.max(w, 1e-6),
      (this.height - 2 * margin) / Math.max(h, 1e-6),
      this.width, // a single painting
    );
    return { scale, left: (this.width - w * scale) / 2, top: (this.height - h * scale) / 2 };
  }

  isWhole() {
    const whole = this.fit();
    return Math.abs(whole.scale - this.scale) < 1e-6 * whole.scale;
  }

  // Return the size of thumbnails of the whole map: about half of the area is covered.
  mapSize() {
    const size = Math.sqrt((0.4 * this.width * this.height) / this.n);
    return Math.min(Math.max(size, 4), 0.18 * Math.min(this.width, this.height), 96);
  }

  // Return the size of thumbnails in pixels.
  size() {
    const zoom = this.scale / (this.blend < 0.5 ? this.fit(0) : this.fit(1)).scale;
    const largest = Math.max(1.5 * this.data.side, 240);
    // Slower than the distances, so that what overlaps comes apart.
    const inMap = Math.min(this.mapSize() * zoom ** 0.65, largest);
    const inGrid = (this.scale / this.columns) * (1 - GAP);
    return inMap + (inGrid - inMap) * this.blend;
  }

  // Return where the middle of a painting is, in pixels.
  place(i) {
    const { data, blend, columns } = this;
    const x = data.x[i] + ((data.column[i] + 0.5) / columns - data.x[i]) * blend;
    const y = data.y[i] + ((data.row[i] + 0.5) / columns - data.y[i]) * blend;
    return [x * this.scale + this.left, y * this.scale + this.top];
  }

  draw(now = false) {
    if (now) this.paint();
    else if (!this.frame) this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    if (!this.width) return;
    const { context, look } = this;
    const style = getComputedStyle(document.documentElement);
    const accent = style.getPropertyValue("--accent"), ink = style.getPropertyValue("--ink");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.globalAlpha = 1;
    context.fillStyle = style.getPropertyValue("--paper");
    context.fillRect(0, 0, this.width, this.height);
    const size = this.size();
    context.imageSmoothingQuality = size > 60 ? "high" : "medium";
    const above = [];
    context.globalAlpha = 0.1;
    for (let i = 0; i < this.n; i++) if (!look.isShown(i)) this.paintOne(i, size, null);
    const faint = look.hasSelection();
    context.globalAlpha = faint ? 0.35 : 1;
    for (let i = 0; i < this.n; i++) {
      if (!look.isShown(i)) continue;
      if (look.isSelected(i)) above.push(i);
      else this.paintOne(i, size, faint ? null : look.frameOf(i));
    }
    context.globalAlpha = 1;
    for (const i of above) this.paintOne(i, size, accent, 2);
    if (this.picked !== null) this.paintOne(this.picked, Math.max(size * 1.15, 28), ink, 3);
    if (this.polygon) {
      context.beginPath();
      for (const [x, y] of this.polygon) context.lineTo(x, y);
      context.closePath();
      context.globalAlpha = 0.12;
      context.fillStyle = context.strokeStyle = accent;
      context.fill();
      context.globalAlpha = 1;
      context.lineWidth = 1.5;
      context.stroke();
    }
  }

  // Draw a painting; `frame` is a colour or null, and `border` its least width.
  paintOne(i, size, frame, border = 1) {
    const { context, data } = this;
    const [x, y] = this.place(i);
    if (x < -size || y < -size || x > this.width + size || y > this.height + size) return;
    const scale = size / Math.max(data.width[i], data.height[i]);
    const w = data.width[i] * scale, h = data.height[i] * scale;
    const [sheet, ...box] = this.source(i);
    if (size < DOT || !sheet) {
      context.fillStyle = frame ?? data.colour[i];
      context.fillRect(x - w / 2, y - h / 2, w, h);
      return;
    }
    if (frame) {
      const edge = Math.max(border, Math.min(0.06 * size, 4));
      context.fillStyle = frame;
      context.fillRect(x - w / 2 - edge, y - h / 2 - edge, w + 2 * edge, h + 2 * edge);
    }
    if (this.small && size * this.ratio <= 1.25 * SMALL) {
      const shrunk = SMALL / Math.max(data.width[i], data.height[i]);
      context.drawImage(
        this.small,
        (i % this.smallPerRow) * SMALL, Math.floor(i / this.smallPerRow) * SMALL,
        Math.max(1, data.width[i] * shrunk), Math.max(1, data.height[i] * shrunk),
        x - w / 2, y - h / 2, w, h,
      );
    } else context.drawImage(sheet, ...box, x - w / 2, y - h / 2, w, h);
  }

  // Return the painting at a point: the uppermost one, or one close by; else null.
  find(x, y) {
    const size = this.size();
    let best = null, least = 10;
    for (let i = 0; i < this.n; i++) {
      if (!this.look.isShown(i)) continue;
      const [left, top] = this.place(i);
      const scale = size / Math.max(this.data.width[i], this.data.height[i]) / 2;
      const away = Math.max(
        Math.abs(x - left) - this.data.width[i] * scale,
        Math.abs(y - top) - this.data.height[i] * scale,
        0,
      );
      if (away <= least) [best, least] = [i, away];
    }
    return best;
  }

  // Return the nearest painting that is shown, in a direction (dx, dy) if it is given.
  nearest(x, y, dx = 0, dy = 0, besides = null) {
    let best = null, least = Infinity;
    for (let i = 0; i < this.n; i++) {
      if (i === besides || !this.look.isShown(i)) continue;
      const [left, top] = this.place(i);
      const along = (left - x) * dx + (top - y) * dy;
      const across = Math.abs((left - x) * dy) + Math.abs((top - y) * dx);
      if ((dx || dy) && (along <= 0.5 || across > 1.5 * along)) continue;
      const away = dx || dy ? along + 2 * across : Math.hypot(left - x, top - y);
      if (away < least) [best, least] = [i, away];
    }
    return best;
  }

  // Return the paintings within the polygon that are shown.
  enclosed() {
    const path = new Path2D();
    for (const [x, y] of this.polygon) path.lineTo(x, y);
    path.closePath();
    const found = [];
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    for (let i = 0; i < this.n; i++) {
      if (this.look.isShown(i) && this.context.isPointInPath(path, ...this.place(i))) found.push(i);
    }
    return found;
  }

  // Zoom by a factor; the point (x, y) stays where it is.
  zoom(factor, x = this.width / 2, y = this.height / 2, smooth = false) {
    const whole = this.fit().scale;
    const scale = Math.min(Math.max(this.scale * factor, whole * 0.5), whole * Math.max(60, this.columns));
    const ratio = scale / this.scale;
    const view = { scale, left: x - (x - this.left) * ratio, top: y - (y - this.top) * ratio };
    if (smooth) this.move(view, 180);
    else {
      this.stop();
      Object.assign(this, view);
      this.draw();
    }
  }

  pan(dx, dy) {
    this.stop();
    this.left += dx;
    this.top += dy;
    this.draw();
  }

  // Bring a painting to the middle of the part that is not covered, and near.
  show(i, { right = 0, bottom = 0, nearer = true } = {}) {
    const size = this.size();
    const factor = nearer && size < 90 ? (90 / size) ** (this.blend < 0.5 ? 1 / 0.65 : 1) : 1;
    const scale = Math.min(this.scale * factor, this.fit().scale * Math.max(40, this.columns / 4));
    const [x, y] = this.place(i);
    const left = (this.width - right) / 2 - ((x - this.left) * scale) / this.scale;
    const top = (this.height - bottom) / 2 - ((y - this.top) * scale) / this.scale;
    this.move({ scale, left, top }, 500);
  }

  // Change to other values of scale, left, top and blend, in some milliseconds.
  move(target, milliseconds) {
    this.stop();
    if (this.calm.matches) {
      Object.assign(this, target);
      this.draw();
      return;
    }
    const start = performance.now(), from = {};
    for (const name of Object.keys(target)) from[name] = this[name];
    const step = (now) => {
      const share = Math.min(Math.max((now - start) / milliseconds, 0), 1);
      const eased = share < 0.5 ? 4 * share ** 3 : 1 - (2 - 2 * share) ** 3 / 2;
      for (const name of Object.keys(target)) {
        this[name] = from[name] + (target[name] - from[name]) * eased;
      }
      this.moving = share < 1 ? requestAnimationFrame(step) : null;
      this.draw(true);
    };
    this.moving = requestAnimationFrame(step);
  }

  stop() {
    cancelAnimationFrame(this.moving);
    this.moving = null;
  }

  // Draw the thumbnail of a painting into a canvas of its own.
  picture(i, attributes = {}) {
    const [sheet, ...box] = this.source(i);
    const made = element("canvas", { className: "picture", ...attributes });
    [made.width, made.height] = box.slice(2);
    if (sheet) made.getContext("2d").drawImage(sheet, ...box, 0, 0, box[2], box[3]);
    return made;
  }
}
