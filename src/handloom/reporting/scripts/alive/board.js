"use strict";

/** The most changes that can be undone. */
const UNDO_STEPS = 100;

/** How an arrow key moves the pen. @type {Record<string, Point>} */
const ARROWS = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/**
 * The board: an image, drawn large, that pointer, touch and keyboard paint on.
 *
 * Every change is shown at once, calls `onChange`, and can be undone.
 */
class Board {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number[]} shape - of the image, (channels, height, width)
   * @param {number[]} levels - the values of black and white
   * @param {() => void} onChange
   * @param {Announcer} announcer
   */
  constructor(canvas, shape, levels, onChange, announcer) {
    this.canvas = canvas;
    this.levels = levels;
    this.onChange = onChange;
    this.announcer = announcer;
    /** @type {Drawing} */
    this.drawing = { shape, pixels: new Float32Array(sizeOf(shape)).fill(levels[0]) };
    /** @type {Float32Array[]} */
    this.earlier = [];
    /** The image before it was turned, and by how much: turning again starts from it. */
    this.turned = { pixels: this.drawing.pixels, degrees: 0 };
    this.brush = { diameter: 2, color: Array(shape[0]).fill(levels[1]) };
    /** @type {Point} */
    this.pen = { x: Math.floor(shape[2] / 2), y: Math.floor(shape[1] / 2) };
    const scale = Math.max(1, Math.round(336 / Math.max(shape[1], shape[2])));
    canvas.width = shape[2] * scale;
    canvas.height = shape[1] * scale;
    canvas.addEventListener("pointerdown", (event) => this.startStroke(event));
    canvas.addEventListener("pointermove", (event) => this.continueStroke(event));
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    canvas.addEventListener("focus", () => this.show());
    canvas.addEventListener("blur", () => this.show());
  }

  /**
   * Replace the image.
   *
   * @param {Float32Array} pixels
   */
  replace(pixels) {
    this.keepForUndo();
    this.setPixels(pixels);
  }

  clear() {
    this.replace(new Float32Array(this.drawing.pixels.length).fill(this.levels[0]));
  }

  undo() {
    const pixels = this.earlier.pop();
    if (pixels) this.setPixels(pixels);
  }

  /** @param {string} name - one of `MOVES` */
  move(name) {
    const { shape } = this.drawing;
    const source = (/** @type {Point} */ point) => MOVES[name](point, shape);
    this.replace(movedPixels(this.drawing, this.levels[0], source));
  }

  /** @param {number} degrees - clockwise */
  turn(degrees) {
    const { pixels } = this.turned;
    const all = this.turned.degrees + degrees;
    const { shape } = this.drawing;
    const source = (/** @type {Point} */ point) => turnedPoint(point, shape, all);
    this.replace(movedPixels({ shape, pixels }, this.levels[0], source));
    this.turned = { pixels, degrees: all };
  }

  /** @param {Float32Array} pixels */
  setPixels(pixels) {
    this.drawing.pixels = pixels.slice();
    this.changed();
  }

  keepForUndo() {
    this.earlier.push(this.drawing.pixels.slice());
    if (this.earlier.length > UNDO_STEPS) this.earlier.shift();
  }

  changed() {
    this.turned = { pixels: this.drawing.pixels, degrees: 0 };
    this.show();
    this.onChange();
  }

  /** @param {PointerEvent} event */
  startStroke(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.keepForUndo();
    this.pen = this.pointOf(event);
    this.paintTo(this.pen);
  }

  /** @param {PointerEvent} event */
  continueStroke(event) {
    if (!this.canvas.hasPointerCapture(event.pointerId)) return;
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
    const step = ARROWS[event.key];
    const [, height, width] = this.drawing.shape;
    if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
    else if (event.key === " ") {
      this.keepForUndo();
      this.paintTo(this.pen);
    } else if (step) {
      const x = Math.min(Math.max(Math.round(this.pen.x) + step.x, 0), width - 1);
      const y = Math.min(Math.max(Math.round(this.pen.y) + step.y, 0), height - 1);
      if (event.shiftKey) {
        this.keepForUndo();
        this.paintTo({ x, y });
      } else {
        this.pen = { x, y };
        this.show();
        this.announcer.say(`column ${x + 1}, row ${y + 1}`);
      }
    } else return;
    event.preventDefault();
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
