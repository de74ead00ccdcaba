"use strict";

/**
 * Batch normalization in inference: with the mean and the variance kept from the training,
 *
 *     y = scale (x - mean) / sqrt(variance + epsilon) + shift
 *
 * for each feature of a row or each channel of an image.
 *
 * @param {NetworkLayer} layer
 * @param {Float32Array} x
 * @returns {Float32Array}
 */
function batchNorm(layer, x) {
  const { scale, shift, running_mean, running_variance } = layer.arrays;
  const y = new Float32Array(x.length);
  const pixels = x.length / scale.length; // of a channel; 1 for features
  for (let c = 0; c < scale.length; c++) {
    const factor = scale[c] / Math.sqrt(running_variance[c] + layer.options.epsilon);
    for (let i = c * pixels; i < (c + 1) * pixels; i++) {
      y[i] = (x[i] - running_mean[c]) * factor + shift[c];
    }
  }
  return y;
}

/**
 * Layer normalization: with the mean and the variance of the row itself,
 *
 *     y_i = scale_i (x_i - mean) / sqrt(variance + epsilon) + shift_i
 *
 * @param {NetworkLayer} layer
 * @param {Float32Array} x
 * @returns {Float32Array}
 */
function layerNorm(layer, x) {
  const { scale, shift } = layer.arrays;
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  const deviation = Math.sqrt(variance + layer.options.epsilon);
  return x.map((value, i) => (scale[i] * (value - mean)) / deviation + shift[i]);
}
