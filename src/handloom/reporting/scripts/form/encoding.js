"use strict";

/**
 * What was learned of a column of a table: `ColumnEncoding` in Python.
 *
 * @typedef {object} ColumnEncoding
 * @property {"number" | "category" | "boolean"} kind
 * @property {number} mean
 * @property {number} scale - 0 for a constant column, of which only "is missing" remains
 * @property {boolean} missing - whether a further column is 1 where the value is missing
 * @property {boolean} embedded - whether the only column is the index of the category
 * @property {number} categories - their number
 */

/**
 * A raw cell: a number, with booleans as 0 and 1, or null if it is missing; of a category its index.
 *
 * @typedef {number | null} Cell
 */

/** The indices of categories: of missing values, of unseen ones, of the first category. */
const [MISSING, UNSEEN, FIRST] = [0, 1, 2];

/**
 * Return the flat row of raw cells, as Python's `ColumnEncoding.write`.
 *
 * @param {ColumnEncoding[]} columns
 * @param {Cell[]} cells - one for each column
 * @returns {Float32Array}
 */
function encodeRow(columns, cells) {
  return Float32Array.from(columns.flatMap((column, index) => encodeCell(column, cells[index])));
}

/**
 * Return the columns of one cell in a flat row.
 *
 * @param {ColumnEncoding} column
 * @param {Cell} cell
 * @returns {number[]}
 */
function encodeCell({ kind, mean, scale, missing, embedded, categories }, cell) {
  /** @type {number[]} */
  const flat = [];
  if (embedded) return [cell ?? MISSING];
  if (kind === "category") {
    for (let index = FIRST; index < FIRST + categories; index++) flat.push(Number(cell === index));
  } else if (scale) {
    flat.push(cell === null ? 0 : (cell - mean) / scale); // 0 is the mean
  }
  if (missing) flat.push(Number(cell === null || (kind === "category" && cell === MISSING)));
  return flat;
}
