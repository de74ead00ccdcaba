"use strict";

/**
 * Return the weights of a unit of the first layer, arranged as an image, channels side by side.
 *
 * A dense layer's unit has a weight for each pixel; a filter has one for each pixel of its window,
 * and its channels are last in memory.
 *
 * @param {NetworkLayer} layer - the first one with weights
 * @param {number} unit
 * @param {number[]} pixels - the shape of the input image
 * @returns {{values: Float32Array, width: number, height: number}}
 */
function unitWeights({ kind, arrays, options, output_shape }, unit, [channels, height, width]) {
  const units = output_shape[0];
  const own = arrays.weights.filter((_, index) => index % units === unit);
  const isFilter = kind === "conv2d";
  const [rows, columns] = isFilter ? [options.size, options.size] : [height, width];
  const values = new Float32Array(own.length);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        const from = isFilter ? (y * columns + x) * channels + c : (c * rows + y) * columns + x;
        values[(y * channels + c) * columns + x] = own[from];
      }
    }
  }
  return { values, width: channels * columns, height: rows };
}

/**
 * Return a picture of the weights of a unit of the first layer.
 *
 * @param {NetworkLayer} layer
 * @param {number} unit
 * @param {number[]} pixels - the shape of the input image
 * @returns {HTMLCanvasElement}
 */
function weightsPicture(layer, unit, pixels) {
  const { values, width, height } = unitWeights(layer, unit, pixels);
  const canvas = document.createElement("canvas");
  const scale = Math.max(1, Math.round(112 / Math.max(width / pixels[0], 9)));
  canvas.width = width * scale;
  canvas.height = height * scale;
  drawEnlarged(contextOf(canvas), signedPicture(values, width, largestOf(values)));
  return canvas;
}
