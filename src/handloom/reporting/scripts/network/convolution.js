"use strict";

/**
 * The convolution: filter f looks at every window of the image, of k x k pixels and all channels.
 *
 *     y[f, u, v] = b[f] + sum over i, j, c of x[c, s u + i - top, s v + j - left] W[i, j, c, f]
 *
 * with the stride s; x is zero outside of the image. W has shape (k, k, channels, filters), so the
 * weights of one pixel to all filters are neighbors in memory.
 *
 * @param {NetworkLayer} layer
 * @param {Float32Array} x - an image (channels, height, width)
 * @returns {Float32Array} an image (filters, rows, columns)
 */
function convolution(layer, x) {
  const [channels, height, width] = layer.input_shape;
  const [filters, rows, columns] = layer.output_shape;
  const { size, stride, top, left } = layer.options;
  const { weights, biases } = layer.arrays;
  const y = new Float32Array(filters * rows * columns);
  const sums = new Float64Array(filters); // of one window, for all filters
  for (let u = 0; u < rows; u++) {
    for (let v = 0; v < columns; v++) {
      if (biases) sums.set(biases);
      else sums.fill(0);
      for (let i = 0; i < size; i++) {
        const p = stride * u + i - top;
        if (p < 0 || p >= height) continue;
        for (let j = 0; j < size; j++) {
          const q = stride * v + j - left;
          if (q < 0 || q >= width) continue;
          for (let c = 0; c < channels; c++) {
            const value = x[(c * height + p) * width + q];
            if (value === 0) continue; // adds nothing
            const row = ((i * size + j) * channels + c) * filters;
            for (let f = 0; f < filters; f++) sums[f] += value * weights[row + f];
          }
        }
      }
      for (let f = 0; f < filters; f++) y[(f * rows + u) * columns + v] = sums[f];
    }
  }
  return y;
}
