"use strict";

/**
 * The activation functions, one entry at a time: y = f(x).
 *
 * @type {Record<string, (x: number, options: Record<string, number>) => number>}
 */
const ACTIVATIONS = {
  relu: (x) => Math.max(x, 0),
  leaky_relu: (x, { slope }) => (x > 0 ? x : slope * x),
  elu: (x, { alpha }) => (x > 0 ? x : alpha * Math.expm1(x)),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  silu: (x) => x / (1 + Math.exp(-x)),
  // x sigmoid(v), the approximation of its paper
  gelu: (x) => x / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  exp: Math.exp,
  identity: (x) => x,
};

/**
 * An activation layer.
 *
 * @param {NetworkLayer} layer
 * @param {Float32Array} x
 * @returns {Float32Array}
 */
function activation(layer, x) {
  const f = ACTIVATIONS[layer.kind];
  return x.map((value) => f(value, layer.options));
}

/**
 * The outputs in ascending order: quantiles that do not cross.
 *
 * @param {NetworkLayer} layer
 * @param {Float32Array} x
 * @returns {Float32Array}
 */
function sort(layer, x) {
  return x.slice().sort(); // of a typed array, by value
}

/**
 * Softmax: y_j = exp(x_j - max x) / sum_i exp(x_i - max x), from logits to probabilities.
 *
 * The maximum is subtracted against overflow; it cancels.
 *
 * @param {NetworkLayer} layer
 * @param {Float32Array} x
 * @returns {Float32Array}
 */
function softmax(layer, x) {
  const largest = Math.max(...x);
  const exponentials = x.map((value) => Math.exp(value - largest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}
