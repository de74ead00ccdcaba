"use strict";

/**
 * A layer as the page describes it: `handloom/reporting/alive/network_export.py` writes it.
 *
 * @typedef {object} NetworkLayer
 * @property {string} name - as in NumPy's network, "0.dense"
 * @property {string} kind - "dense"
 * @property {number[]} input_shape - of one row, [784] or [channels, height, width]
 * @property {number[]} output_shape
 * @property {Record<string, number>} options - such as the stride
 * @property {Record<string, Float32Array>} arrays - weights in row-major order
 * @property {Record<string, NetworkLayer[]>} branches - "block" and "shortcut" of a residual block
 */

/**
 * An array in the page: its bytes, little-endian, in base64.
 *
 * @typedef {{dtype: "float16" | "float32" | "uint8", data: string}} EncodedArray
 */

/**
 * Return the bytes of base64 text.
 *
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 */
function bytesOf(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/**
 * Return the entries of an encoded array.
 *
 * @param {EncodedArray} array
 * @returns {Float32Array}
 */
function decodeArray(array) {
  const bytes = bytesOf(array.data);
  if (array.dtype === "uint8") return Float32Array.from(bytes);
  if (array.dtype === "float32") return new Float32Array(bytes.buffer);
  return Float32Array.from(new Uint16Array(bytes.buffer), float16);
}

/**
 * Return the value of a half-precision number: 1 bit of sign, 5 of exponent, 10 of fraction.
 *
 * @param {number} bits - 16 bits, as a whole number
 * @returns {number}
 */
function float16(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24; // zero and subnormal numbers
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * Return the number of entries of a shape.
 *
 * @param {number[]} shape
 * @returns {number}
 */
function sizeOf(shape) {
  return shape.reduce((product, extent) => product * extent, 1);
}
