"use strict";

/** The ink that an image may lose by rounding before a part of it counts as cut off. */
const LOST_INK = 0.01;

/**
 * Where an image comes from.
 *
 * @typedef {object} Origin
 * @property {number | null} image - the number of the image; null for a drawing from nothing
 * @property {boolean} changed
 * @property {boolean} cut - whether a part of it left the frame
 */

/**
 * An image before it was turned, and by how much: turning again starts from it.
 *
 * @typedef {{pixels: Float32Array, degrees: number, origin: Origin}} Turn
 */

/** @typedef {{pixels: Float32Array, origin: Origin, turned: Turn | null}} BoardState */

/** How an arrow key moves the pen. @type {Record<string, Point>} */
const ARROWS = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/**
 * The board: an image, drawn large, that mouse, pen, keyboard and, if asked to, fingers paint on.
 *
 * Every change is shown at once, calls `beforeChange` and `onChange`.
 */
class Board {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number[]} shape - of the image, (channels, height, width)
   * @param {number[]} levels - the values of black and white
   * @param {() => void} beforeChange
   * @param {(change: string) => void} onChange - with a sentence, possibly empty
   * @param {Announcer} announcer
   */
  constructor(canvas, shape, levels, beforeChange, onChange, announcer) {
    this.canvas = canvas;
    this.levels = levels;
    this.beforeChange = beforeChange;
    this.onChange = onChange;
    this.announcer = announcer;
    /** @type {Drawing} */
    this.drawing = { shape, pixels: new Float32Array(sizeOf(shape)).fill(levels[0]) };
    /** @type {Origin} */
    this.origin = { image: null, changed: false, cut: false };
    /** @type {Turn | null} */
    this.turned = null;
    this.painting = false; // whether the last pointer that was put down paints
    this.byFinger = false; // until then a finger scrolls the page
    this.brush = { diameter: 2, color: Array(shape[0]).fill(levels[1]) };
    /** @type {Point} */
    this.pen = { x: Math.floor(shape[2] / 2), y: Math.floor(shape[1] / 2) };
    const scale = Math.max(1, Math.round(336 / Math.max(shape[1], shape[2])));
    canvas.width = shape[2] * scale;
    canvas.height = shape[1] * scale;
    canvas.addEventListener("pointerdown", (event) => this.startStroke(event));
    canvas.addEventListener("touchstart", (event) => this.keepPage(event), { passive: false });
    canvas.addEventListener("pointermove", (event) => this.continueStroke(event));
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    canvas.addEventListener("focus", () => this.show());
    canvas.addEventListener("blur", () => this.show());
  }

  /** @returns {BoardState} */
  state() {
    return { pixels: this.drawing.pixels.slice(), origin: this.origin, turned: this.turned };
  }

  /**
   * @param {BoardState} state
   * @param {string} change
   */
  restore({ pixels, origin, turned }, change) {
    this.drawing.pixels = pixels.slice();
    this.origin = origin;
    this.turned = turned;
    this.changed(change);
  }

  clear() {
    this.beforeChange();
    const pixels = new Float32Array(this.drawing.pixels.length).fill(this.levels[0]);
    const origin = { image: null, changed: false, cut: false };
    this.restore({ pixels, origin, turned: null }, "Cleared. ");
  }

  /** @returns {boolean} */
  isEmpty() {
    return this.drawing.pixels.every((value) => value === this.levels[0]);
  }

  /** @param {string} name - one of `MOVES` */
  move(name) {
    this.beforeChange();
    const { shape } = this.drawing;
    const pixels = this.moved(this.drawing.pixels, (point) => MOVES[name](point, shape));
    const cut = this.origin.cut || this.losesInk(this.drawing.pixels, pixels);
    const origin = { ...this.origin, changed: true, cut };
    const change = name === "mirror" ? "Mirrored. " : `Moved ${name}. `;
    this.restore({ pixels, origin, turned: null }, change);
  }

  /** @param {number} degrees - clockwise */
  turn(degrees) {
    this.beforeChange();
    const before = this.turned ?? { ...this.state(), degrees: 0 };
    const turned = { ...before, degrees: (before.degrees + degrees) % 360 };
    const { shape } = this.drawing;
    const pixels = this.moved(before.pixels, (point) => turnedPoint(point, shape, turned.degrees));
    const cut = before.origin.cut || this.losesInk(before.pixels, pixels);
    const origin = turned.degrees ? { ...before.origin, changed: true, cut } : before.origin;
    const change = `${turned.degrees ? `Turned ${angleText(turned.degrees)}` : "Not turned"}. `;
    this.restore({ pixels, origin, turned }, change);
  }

  /**
   * @param {Float32Array} pixels
   * @param {(point: Point) => Point} source
   */
  moved(pixels, source) {
    return movedPixels({ shape: this.drawing.shape, pixels }, this.levels[0], source);
  }

  /**
   * @param {Float32Array} before
   * @param {Float32Array} after
   * @returns {boolean}
   */
  losesInk(before, after) {
    const ink = (/** @type {Float32Array} */ pixels) =>
      pixels.reduce((sum, value) => sum + value - this.levels[0], 0);
    return ink(after) < (1 - LOST_INK) * ink(before);
  }

  /** Prepare a stroke of the brush. */
  startPainting() {
    this.beforeChange();
    this.origin = { ...this.origin, changed: true };
    this.turned = null;
  }

  /** @param {string} [change] */
  changed(change = "") {
    this.show();
    this.onChange(change);
  }

  /** @param {PointerEvent} event */
  startStroke(event) {
    this.painting = event.button === 0 && (event.pointerType !== "touch" || this.byFinger);
    if (!this.painting) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.startPainting();
    this.pen = this.pointOf(event);
    this.paintTo(this.pen);
  }

  /** @param {boolean} on - whether fingers paint, too */
  paintByFinger(on) {
    this.byFinger = on;
    this.canvas.classList.toggle("by-finger", on);
  }

  /**
   * Keep the page where it is while a pen or a finger paints.
   *
   * @param {TouchEvent} event
   */
  keepPage(event) {
    if (this.painting) event.preventDefault();
  }

  /** @param {PointerEvent} event */
  continueStroke(event) {
    if (!this.painting || !this.canvas.hasPointerCapture(event.pointerId)) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.paintTo(this.pointOf(each), false);
    this.changed();
  }

  /**
   * Paint from the pen to a point, where the pen then is.
   *
   * @param {Point} point
   * @param {boolean} [last] - whether nothing more is painted at once
   */
  paintTo(point, last = true) {
    paintLine(this.drawing, this.pen, point, this.brush.diameter, this.brush.color);
    this.pen = point;
    if (last) this.changed();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const point = this.pointAfter(event);
    if (event.ctrlKey || event.metaKey) return;
    if (event.key === " ") {
      this.startPainting();
      this.paintTo(this.pen);
    } else if (point && event.shiftKey) {
      this.startPainting();
      this.paintTo(point);
    } else if (point) {
      this.pen = point;
      this.show();
      this.announcer.say(`column ${point.x + 1}, row ${point.y + 1}`);
    } else return;
    event.preventDefault();
  }

  /**
   * Return where a key moves the pen, or null.
   *
   * @param {KeyboardEvent} event
   * @returns {Point | null}
   */
  pointAfter({ key }) {
    const [, height, width] = this.drawing.shape;
    const [x, y] = [Math.round(this.pen.x), Math.round(this.pen.y)];
    const [right, bottom] = [width - 1, height - 1];
    const within = (/** @type {Point} */ point) => ({
      x: Math.min(Math.max(point.x, 0), right),
      y: Math.min(Math.max(point.y, 0), bottom),
    });
    const step = ARROWS[key];
    if (step) return within({ x: x + step.x, y: y + step.y });
    if (key === "Home") return within({ x: 0, y });
    if (key === "End") return within({ x: right, y });
    if (key === "PageUp") return within({ x, y: 0 });
    return key === "PageDown" ? within({ x, y: bottom }) : null;
  }

  /**
   * @param {PointerEvent} event
   * @returns {Point}
   */
  pointOf(event) {
    const box = this.canvas.getBoundingClientRect();
    const [, height, width] = this.drawing.shape;
    return {
      x: ((event.clientX - box.left) / box.width) * width - 0.5,
      y: ((event.clientY - box.top) / box.height) * height - 0.5,
    };
  }

  /** Show the image and, while the keyboard is here, the pen. */
  show() {
    const context = contextOf(this.canvas);
    drawEnlarged(context, pictureOf(this.drawing, this.levels));
    if (!this.canvas.matches(":focus-visible")) return;
    const scale = this.canvas.width / this.drawing.shape[2];
    const [x, y] = [Math.round(this.pen.x) * scale, Math.round(this.pen.y) * scale];
    frame(context, x, y, scale, scale);
  }
}

/**
 * Return an angle as text.
 *
 * @param {number} degrees - clockwise, more than -360 and less than 360
 * @returns {string}
 */
function angleText(degrees) {
  const signed = ((degrees + 540) % 360) - 180;
  return `${Math.abs(signed)}° to the ${signed < 0 ? "left" : "right"}`;
}
