"use strict";

/**
 * Max pooling: the largest entry of each window, y[u, v] = max over i, j of x[s u + i, s v + j].
 *
 * @param {NetworkLayer} layer
 * @param {Float32Array} x - an image (channels, height, width)
 * @returns {Float32Array} an image (channels, rows, columns)
 */
function maxPool(layer, x) {
  return pool(layer, x, -Infinity, Math.max);
}

/**
 * Average pooling: the mean of each window, y[u, v] = sum over i, j of x[s u + i, s v + j] / k^2.
 *
 * @param {NetworkLayer} layer
 * @param {Float32Array} x
 * @returns {Float32Array}
 */
function averagePool(layer, x) {
  const entries = layer.options.size ** 2;
  return pool(layer, x, 0, (sum, value) => sum + value).map((sum) => sum / entries);
}

/**
 * Global average pooling: the mean of each channel, over all its pixels.
 *
 * @param {NetworkLayer} layer
 * @param {Float32Array} x - an image (channels, height, width)
 * @returns {Float32Array} one entry for each channel
 */
function globalAveragePool(layer, x) {
  const [channels, height, width] = layer.input_shape;
  const pixels = height * width;
  return Float32Array.from({ length: channels }, (_, c) => {
    const channel = x.subarray(c * pixels, (c + 1) * pixels);
    return channel.reduce((sum, value) => sum + value, 0) / pixels;
  });
}

/**
 * Combine the k x k entries of each window of each channel, one after the other.
 *
 * @param {NetworkLayer} layer
 * @param {Float32Array} x
 * @param {number} start - the value before the first entry
 * @param {(sum: number, value: number) => number} combine
 * @returns {Float32Array}
 */
function pool(layer, x, start, combine) {
  const [, height, width] = layer.input_shape;
  const [channels, rows, columns] = layer.output_shape;
  const { size, stride } = layer.options;
  const y = new Float32Array(channels * rows * columns);
  let pixel = 0;
  for (let c = 0; c < channels; c++) {
    for (let u = 0; u < rows; u++) {
      for (let v = 0; v < columns; v++) {
        let result = start;
        for (let i = 0; i < size; i++) {
          const line = (c * height + stride * u + i) * width + stride * v;
          for (let j = 0; j < size; j++) result = combine(result, x[line + j]);
        }
        y[pixel++] = result;
      }
    }
  }
  return y;
}
