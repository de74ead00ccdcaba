"use strict";

/**
 * The dense layer, y = x W + b: unit j adds up x_i W_ij over all inputs i.
 *
 * W has shape (d, h), so the weights of input i to all units are neighbors in memory.
 *
 * @param {NetworkLayer} layer
 * @param {Float32Array} x - d inputs
 * @returns {Float32Array} h outputs
 */
function dense(layer, x) {
  const { weights, biases } = layer.arrays;
  const units = biases.length;
  const sums = Float64Array.from(biases);
  for (let i = 0; i < x.length; i++) {
    const value = x[i];
    if (value === 0) continue; // adds nothing
    const row = i * units;
    for (let j = 0; j < units; j++) sums[j] += value * weights[row + j];
  }
  return Float32Array.from(sums);
}
