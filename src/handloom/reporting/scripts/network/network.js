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
  batch_norm: batchNorm,
  layer_norm: layerNorm,
  softmax,
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
 * @param {Map<string, Set<number>>} switchedOff - units whose output is set to 0, by layer
 * @returns {Map<string, Float32Array>} the output of each layer, by name
 */
function runNetwork(network, row, switchedOff) {
  /** @type {Map<string, Float32Array>} */
  const outputs = new Map();
  runLayers(network.layers, transformRow(network, row), (layer, y) => {
    const seen = withoutUnits(layer, y, switchedOff.get(layer.name));
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

/**
 * Return a layer's output with 0 for some units: entries of a row, or whole channels of an image.
 *
 * @param {NetworkLayer} layer
 * @param {Float32Array} y
 * @param {Set<number>} [units]
 * @returns {Float32Array}
 */
function withoutUnits(layer, y, units) {
  if (!units || !units.size) return y;
  const changed = y.slice();
  const entries = y.length / layer.output_shape[0];
  for (const unit of units) changed.fill(0, unit * entries, (unit + 1) * entries);
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
