"use strict";

/**
 * A residual block: y = F(x) + S(x), with a block F of layers and a shortcut S around them.
 *
 * Without layers a branch passes x on unchanged.
 *
 * @param {NetworkLayer} layer
 * @param {Float32Array} x
 * @param {Watch} watch
 * @returns {Float32Array}
 */
function residual(layer, x, watch) {
  const block = runLayers(layer.branches.block, x, watch);
  const shortcut = runLayers(layer.branches.shortcut, x, watch);
  return block.map((value, i) => value + shortcut[i]);
}
