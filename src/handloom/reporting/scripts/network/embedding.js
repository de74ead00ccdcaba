"use strict";

/**
 * Embedding: the learned vectors of the index columns, in their order, then the other columns.
 *
 * The table of column 3 is the array "column_3", and the number of its rows the option "column_3".
 *
 * @param {NetworkLayer} layer
 * @param {Float32Array} x
 * @returns {Float32Array}
 */
function embedding(layer, x) {
  const others = new Set(x.keys());
  /** @type {number[]} */
  const y = [];
  for (const [name, table] of Object.entries(layer.arrays)) {
    const column = Number(name.slice("column_".length));
    const width = table.length / layer.options[name];
    const start = x[column] * width;
    y.push(...table.subarray(start, start + width));
    others.delete(column);
  }
  for (const column of others) y.push(x[column]);
  return Float32Array.from(y);
}
