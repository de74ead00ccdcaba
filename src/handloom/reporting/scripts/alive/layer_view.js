"use strict";

/**
 * The picture of a layer's activations, in which units are looked at and switched off.
 *
 * Pointing at a unit, or the arrow keys, show its value; a click or Enter switches it off or on.
 */
class LayerView {
  /**
   * @param {HTMLElement} figure - with a canvas, a caption and a tip
   * @param {NetworkLayer} layer
   * @param {number[] | null} pixels - the shape of an image, if the layer's weights are shown as such
   * @param {string[]} names - of the units, possibly none
   * @param {(layer: string, unit: number) => void} onSwitch
   * @param {Announcer} announcer
   */
  constructor(figure, layer, pixels, names, onSwitch, announcer) {
    this.figure = figure;
    this.layer = layer;
    this.pixels = pixels;
    this.names = names;
    this.onSwitch = onSwitch;
    this.announcer = announcer;
    this.canvas = /** @type {HTMLCanvasElement} */ (figure.querySelector(".alive-units"));
    this.range = /** @type {HTMLElement} */ (figure.querySelector(".alive-range"));
    this.tip = /** @type {HTMLElement} */ (figure.querySelector(".alive-tip"));
    this.unit = 0;
    this.pointed = -1; // the unit under the pointer
    this.values = /** @type {Float32Array} */ (new Float32Array(0));
    /** @type {Set<number>} */
    this.off = new Set();
    this.tiles = arrangeTiles(layer.output_shape, 1, 0);
    const { canvas } = this;
    canvas.addEventListener("pointermove", (event) => this.point(this.unitOf(event)));
    canvas.addEventListener("pointerleave", () => this.point(-1));
    canvas.addEventListener("click", (event) => this.switchUnit(this.unitOf(event)));
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    canvas.addEventListener("focus", () => {
      this.draw();
      if (canvas.matches(":focus-visible")) this.announce();
    });
    canvas.addEventListener("blur", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(figure);
  }

  /**
   * Show activations.
   *
   * @param {Float32Array} values
   * @param {Set<number>} off - the units that are switched off
   */
  show(values, off) {
    this.values = withoutUnits(this.layer, values, off, 0);
    this.off = off;
    this.draw();
  }

  draw() {
    const available = this.figure.clientWidth;
    if (!available || !this.values.length) return; // not visible
    const label = this.labelWidth();
    const tiles = arrangeTiles(this.layer.output_shape, available, label);
    this.tiles = tiles;
    const ratio = window.devicePixelRatio || 1;
    const width = tiles.columns * (tiles.width + tiles.label + tiles.gap) - tiles.gap;
    const height = Math.ceil(tiles.units / tiles.columns) * (tiles.height + tiles.gap) - tiles.gap;
    this.resize(Math.round(width * ratio), Math.round(height * ratio), `${width}px`);
    const context = contextOf(this.canvas);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    drawTiles(context, tiles, this.layer.output_shape, this.values, this.off);
    if (label) drawLabels(context, tiles, this.names, getComputedStyle(this.canvas));
    this.range.textContent = rangeOf(this.values);
    this.showUnit(context);
  }

  /** Return the width for the names of units, in pixels. */
  labelWidth() {
    const context = contextOf(this.canvas);
    context.font = getComputedStyle(this.canvas).font;
    const widths = this.names.map((name) => context.measureText(name).width);
    return Math.ceil(Math.min(Math.max(0, ...widths), LONGEST_LABEL) + (widths.length && 12));
  }

  /**
   * Set the canvas's size, if it is another one: that takes longer than to draw.
   *
   * @param {number} width
   * @param {number} height
   * @param {string} shown - the width in the page
   */
  resize(width, height, shown) {
    const { canvas } = this;
    if (canvas.width === width && canvas.height === height) return;
    canvas.width = width;
    canvas.height = height;
    canvas.style.width = shown;
  }

  /** @param {CanvasRenderingContext2D} context */
  showUnit(context) {
    const focused = this.canvas.matches(":focus-visible");
    const unit = this.pointed >= 0 ? this.pointed : focused ? this.unit : -1;
    this.tip.hidden = unit < 0;
    if (unit < 0) return;
    const { x, y } = cornerOf(this.tiles, unit);
    frame(context, x, y, this.tiles.width, this.tiles.height);
    const lines = [this.sentence(unit)];
    const weights = this.pixels && weightsPicture(this.layer, unit, this.pixels);
    const parts = weights ? [...lines, weights, "its weights"] : lines;
    this.tip.replaceChildren(...parts);
    const left = Math.min(x, this.figure.clientWidth - this.tip.offsetWidth);
    this.tip.style.left = `${Math.max(left, 0)}px`;
    this.tip.style.top = `${this.canvas.offsetTop + y + this.tiles.height + 6}px`;
  }

  /**
   * @param {number} unit
   * @returns {string}
   */
  sentence(unit) {
    const image = this.layer.output_shape.length === 3;
    const entries = this.values.length / this.tiles.units;
    const own = this.values.subarray(unit * entries, (unit + 1) * entries);
    const value = image ? rangeOf(own) : readable(own[0]);
    const name = this.names[unit] ? `, ${this.names[unit]}` : "";
    return `${image ? "channel" : "unit"} ${unit}${name}: ${this.off.has(unit) ? "switched off" : value}`;
  }

  /** @param {number} unit */
  point(unit) {
    if (unit === this.pointed) return;
    this.pointed = unit;
    this.draw();
  }

  /** @param {number} unit */
  switchUnit(unit) {
    if (unit < 0) return;
    this.unit = unit;
    this.onSwitch(this.layer.name, unit);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const last = this.tiles.units - 1;
    const step = ARROWS[event.key];
    if (event.key === "Enter" || event.key === " ") this.switchUnit(this.unit);
    else if (event.key === "Home") this.unit = 0;
    else if (event.key === "End") this.unit = last;
    else if (step) {
      const unit = this.unit + step.x + step.y * this.tiles.columns;
      if (unit >= 0 && unit <= last) this.unit = unit;
    } else return;
    event.preventDefault();
    this.pointed = -1;
    this.draw();
    this.announce();
  }

  announce() {
    this.announcer.say(`${this.layer.name}, ${this.sentence(this.unit)}`);
  }

  /**
   * @param {MouseEvent} event
   * @returns {number}
   */
  unitOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return unitAt(this.tiles, { x: event.clientX - box.left, y: event.clientY - box.top });
  }
}

/**
 * Return the smallest and the largest value as text.
 *
 * @param {Float32Array} values
 * @returns {string}
 */
function rangeOf(values) {
  const least = values.reduce((a, b) => Math.min(a, b), Infinity);
  const largest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  return `${readable(least)} to ${readable(largest)}`;
}
