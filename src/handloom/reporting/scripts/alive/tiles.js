"use strict";

/**
 * The arrangement of a layer's units in a picture: a tile for each, in rows.
 *
 * A unit of a dense layer is a single square; a channel of an image is a small image.
 *
 * @typedef {object} Tiles
 * @property {number} units
 * @property {number} columns - tiles of a row
 * @property {number} width - of a tile, in pixels of the page
 * @property {number} height
 * @property {number} gap - between tiles
 * @property {number} label - the width of the name right of each tile
 */

/** The largest width of a name, in pixels. */
const LONGEST_LABEL = 160;

/**
 * Arrange the units of a layer.
 *
 * @param {number[]} shape - of the layer's output: [units], or [channels, height, width]
 * @param {number} available - the width of the picture
 * @param {number} label - the width of a name
 * @returns {Tiles}
 */
function arrangeTiles(shape, available, label) {
  const units = shape[0];
  const [height, width] = shape.length === 3 ? shape.slice(1) : [1, 1];
  const size = textEnlargement() * tileSize(units, shape.length === 3);
  const scale = Math.max(1, Math.round(size / Math.max(height, width)));
  const whole = width * scale;
  const gap = shape.length === 3 ? 3 : 1;
  const fitting = Math.max(1, Math.floor((available + gap) / (whole + label + gap)));
  const rows = Math.ceil(units / fitting);
  const columns = Math.ceil(units / rows); // rows of about equal size
  return { units, columns, width: whole, height: height * scale, gap, label };
}

/**
 * Return the size of a tile that suits the number of units.
 *
 * @param {number} units
 * @param {boolean} image
 * @returns {number}
 */
function tileSize(units, image) {
  if (image) return units <= 32 ? 56 : units <= 64 ? 42 : 28;
  return units <= 32 ? 24 : units <= 128 ? 18 : units <= 512 ? 12 : 7;
}

/**
 * Return the left top corner of a unit's tile.
 *
 * @param {Tiles} tiles
 * @param {number} unit
 * @returns {Point}
 */
function cornerOf({ columns, width, height, gap, label }, unit) {
  return { x: (unit % columns) * (width + label + gap), y: Math.floor(unit / columns) * (height + gap) };
}

/**
 * Return the unit at a point of the picture, or -1.
 *
 * @param {Tiles} tiles
 * @param {Point} point
 * @returns {number}
 */
function unitAt({ units, columns, width, height, gap, label }, { x, y }) {
  const column = Math.floor(x / (width + label + gap));
  const unit = Math.floor(y / (height + gap)) * columns + column;
  return x >= 0 && y >= 0 && column < columns && unit < units ? unit : -1;
}

/**
 * Draw the values of all units.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Tiles} tiles
 * @param {number[]} shape
 * @param {Float32Array} values
 * @param {Set<number>} off - units that are crossed out
 */
function drawTiles(context, tiles, shape, values, off) {
  const { units, width, height } = tiles;
  const picture = canvasOf(signedPicture(values, shape[2] ?? 1, largestOf(values)));
  const rows = picture.height / units;
  context.imageSmoothingEnabled = false;
  for (let unit = 0; unit < units; unit++) {
    const { x, y } = cornerOf(tiles, unit);
    context.fillStyle = "rgb(128 128 128 / 14%)";
    context.fillRect(x, y, width, height);
    context.drawImage(picture, 0, unit * rows, picture.width, rows, x, y, width, height);
    if (off.has(unit)) crossOut(context, x, y, width, height);
  }
}

/**
 * Write the names of units right of their tiles.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Tiles} tiles
 * @param {string[]} names
 * @param {CSSStyleDeclaration} style - of the canvas
 */
function drawLabels(context, tiles, names, { font, color }) {
  context.font = font;
  context.fillStyle = color;
  context.textBaseline = "middle";
  names.forEach((name, unit) => {
    const { x, y } = cornerOf(tiles, unit);
    context.fillText(name, x + tiles.width + 5, y + tiles.height / 2, tiles.label - 8);
  });
}

/**
 * Mark a tile as switched off.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 */
function crossOut(context, x, y, width, height) {
  context.strokeStyle = "rgb(200 30 90)";
  context.lineWidth = 2;
  context.strokeRect(x + 1, y + 1, width - 2, height - 2);
  context.beginPath();
  context.moveTo(x + 1, y + 1);
  context.lineTo(x + width - 1, y + height - 1);
  context.moveTo(x + width - 1, y + 1);
  context.lineTo(x + 1, y + height - 1);
  context.stroke();
}

/**
 * Draw a frame that is seen on light and on dark.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 */
function frame(context, x, y, width, height) {
  for (const [color, line] of /** @type {[string, number][]} */ ([["black", 4], ["white", 2]])) {
    context.strokeStyle = color;
    context.lineWidth = line;
    context.strokeRect(x, y, width, height);
  }
}
