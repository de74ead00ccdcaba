"use strict";

/**
 * A function that sees the output of each layer, and returns the one that the next layer takes.
 *
 * @typedef {(layer: NetworkLayer, y: Float32Array) => Float32Array} Watch
 */

/**
 * The whole network: from the pixels of a row to predictions.
 *
 * @typedef {object} Network
 * @property {{name: "scale" | "as_float", shift: number, divisor: number}} transform
 * @property {NetworkLayer[]} layers - the last one is the output activation
 */

/**
 * The forward pass of each kind of layer.
 *
 * @type {Record<string, (layer: NetworkLayer, x: Float32Array, watch: Watch) => Float32Array>}
 */
const FORWARD = {
  dense,
  conv2d: convolution,
  max_pool2d: maxPool,
  average_pool2d: averagePool,
  global_average_pool2d: globalAveragePool,
  batch_norm: batchNorm,
  layer_norm: layerNorm,
  softmax,
  embedding,
  sort,
  residual,
  // the same entries in the same order; dropout drops only in training
  dropout: (layer, x) => x,
  flatten: (layer, x) => x,
  reshape: (layer, x) => x,
};
for (const kind of Object.keys(ACTIVATIONS)) FORWARD[kind] = activation;

/**
 * Run layers, each on the output of the one before it.
 *
 * @param {NetworkLayer[]} layers
 * @param {Float32Array} x
 * @param {Watch} watch
 * @returns {Float32Array}
 */
function runLayers(layers, x, watch) {
  for (const layer of layers) x = watch(layer, FORWARD[layer.kind](layer, x, watch));
  return x;
}

/**
 * Run a network on one row of stored values, such as pixels from 0 to 255.
 *
 * @param {Network} network
 * @param {Float32Array} row
 * @param {Map<string, Set<number>>} switchedOff - units whose output is set to 0, by layer; a logit
 *   is set to minus infinity instead, so that its class has the probability 0
 * @returns {Map<string, Float32Array>} the output of each layer, by name
 */
function runNetwork(network, row, switchedOff) {
  /** @type {Map<string, Float32Array>} */
  const outputs = new Map();
  const logits = outputLayers(network);
  runLayers(network.layers, transformRow(network, row), (layer, y) => {
    const off = logits.has(layer.name) ? -Infinity : 0;
    const seen = withoutUnits(layer, y, switchedOff.get(layer.name), off);
    outputs.set(layer.name, seen);
    return seen;
  });
  return outputs;
}

/**
 * Return the input of the first layer: (x - shift) / divisor, or x itself.
 *
 * @param {Network} network
 * @param {Float32Array} row
 * @returns {Float32Array}
 */
function transformRow({ transform }, row) {
  if (transform.name === "as_float") return row;
  return row.map((x) => (x - transform.shift) / transform.divisor);
}

/** The layers whose output has the same entries as their input. */
const ENTRIES_ONLY = ["dropout", "flatten", "reshape"];

/**
 * Return the names of the layers whose output are the logits; none if there are no probabilities.
 *
 * @param {Network} network
 * @returns {Set<string>}
 */
function outputLayers({ layers }) {
  const names = new Set();
  if (!["softmax", "sigmoid"].includes(layers[layers.length - 1].kind)) return names;
  for (const layer of layers.slice(0, -1).reverse()) {
    names.add(layer.name);
    if (!ENTRIES_ONLY.includes(layer.kind)) break;
  }
  return names;
}

/**
 * Return a layer's output with a value for some units: entries of a row, or channels of an image.
 *
 * @param {NetworkLayer} layer
 * @param {Float32Array} y
 * @param {Set<number> | undefined} units
 * @param {number} value
 * @returns {Float32Array}
 */
function withoutUnits(layer, y, units, value) {
  if (!units || !units.size) return y;
  const changed = y.slice();
  const entries = y.length / layer.output_shape[0];
  for (const unit of units) changed.fill(value, unit * entries, (unit + 1) * entries);
  return changed;
}

/**
 * Return a network whose arrays are decoded.
 *
 * @param {any} description - as JSON
 * @returns {Network}
 */
function decodeNetwork(description) {
  return { transform: description.transform, layers: description.layers.map(decodeLayer) };
}

/**
 * Return a layer, and the layers inside of it, with decoded arrays.
 *
 * @param {any} layer
 * @returns {NetworkLayer}
 */
function decodeLayer(layer) {
  /** @type {NetworkLayer} */
  const decoded = { ...layer, arrays: {}, branches: {} };
  for (const [name, array] of Object.entries(layer.arrays)) {
    decoded.arrays[name] = decodeArray(/** @type {EncodedArray} */ (array));
  }
  for (const [branch, layers] of Object.entries(layer.branches)) {
    decoded.branches[branch] = /** @type {any[]} */ (layers).map(decodeLayer);
  }
  return decoded;
}
