"use strict";

/** The colors of positive and negative values, on a light and on a dark page. */
const POSITIVE = [224, 94, 0];
const NEGATIVE = [30, 128, 220];

/** The power of a value's share of the largest one that is its opacity; small values are seen. */
const EMPHASIS = 0.7;

/**
 * Return the drawing context of a canvas.
 *
 * @param {HTMLCanvasElement} canvas
 * @returns {CanvasRenderingContext2D}
 */
function contextOf(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

/**
 * Draw a picture over a whole canvas; each pixel becomes a square.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {ImageData} picture
 */
function drawEnlarged(context, picture) {
  const { width, height } = context.canvas;
  context.clearRect(0, 0, width, height);
  context.imageSmoothingEnabled = false;
  context.drawImage(canvasOf(picture), 0, 0, width, height);
}

/**
 * Return a canvas of the size of a picture, with the picture.
 *
 * @param {ImageData} picture
 * @returns {HTMLCanvasElement}
 */
function canvasOf(picture) {
  const canvas = document.createElement("canvas");
  canvas.width = picture.width;
  canvas.height = picture.height;
  contextOf(canvas).putImageData(picture, 0, 0);
  return canvas;
}

/**
 * Return values as a picture: orange above zero, blue below, the stronger the farther from zero.
 *
 * Zero is transparent, so the picture fits a light page, a dark one, and paper.
 *
 * @param {ArrayLike<number>} values - in row-major order
 * @param {number} width
 * @param {number} largest - the absolute value of the strongest color
 * @returns {ImageData}
 */
function signedPicture(values, width, largest) {
  const picture = new ImageData(width, Math.ceil(values.length / width));
  for (let i = 0; i < values.length; i++) {
    picture.data.set(values[i] < 0 ? NEGATIVE : POSITIVE, 4 * i);
    const share = largest ? Math.abs(values[i]) / largest : 0;
    picture.data[4 * i + 3] = 255 * share ** EMPHASIS;
  }
  return picture;
}

/**
 * Return the largest absolute value.
 *
 * @param {ArrayLike<number>} values
 * @returns {number}
 */
function largestOf(values) {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]));
  return largest;
}
