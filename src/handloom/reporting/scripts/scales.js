// Scales of charts: from values to coordinates and back, with ticks at round values. The same as
// charts/scales.py, for a chart that is drawn again.

/** The ticks of a decade, for a logarithmic scale of less than one, of several and of many. */
const FINE = [1, 1.5, 2, 3, 5, 7];
const COARSE = [1, 2, 5];
const POWERS = [1];
/** Below the first a logarithmic scale has ticks like a linear one; above the second, powers. */
const [LEAST_DECADES, FEW_DECADES] = [0.5, 3.5];

/**
 * @typedef {object} Scale
 * @property {number} low
 * @property {number} high
 * @property {boolean} logarithmic
 * @property {(value: number) => number} at  the coordinate of a value
 * @property {(coordinate: number) => number} value  the value at a coordinate
 * @property {(count: number) => number[]} ticks
 */

/**
 * Return a scale.
 * @param {number} low
 * @param {number} high
 * @param {number} start
 * @param {number} end
 * @param {boolean} logarithmic
 * @returns {Scale}
 */
function newScale(low, high, start, end, logarithmic) {
  const linear = (/** @type {number} */ value) => (logarithmic ? Math.log10(value) : value);
  const [from, to] = [linear(low), linear(high)];
  const isWide = logarithmic && to - from >= LEAST_DECADES;
  return {
    low,
    high,
    logarithmic,
    at: (value) => start + ((linear(value) - from) / (to - from)) * (end - start),
    value: (coordinate) => {
      const value = from + ((coordinate - start) / (end - start)) * (to - from);
      return logarithmic ? 10 ** value : value;
    },
    ticks: (count) => (isWide ? roundRatios : roundValues)(low, high, count),
  };
}

/**
 * Return round values at about equal ratios.
 * @param {number} low
 * @param {number} high
 * @param {number} count
 * @returns {number[]}
 */
function roundRatios(low, high, count) {
  const decades = Math.log10(high / low);
  const ofDecade = decades < 1 ? FINE : decades < FEW_DECADES ? COARSE : POWERS;
  const step = ofDecade === POWERS ? Math.ceil(decades / count) : 1;
  const start = Math.log10(low);
  const values = [];
  let power = step > 1 ? Math.ceil(start - 1e-9) : Math.floor(start + 1e-9);
  for (; power <= Math.log10(high) + 1e-9; power += step) {
    for (const each of ofDecade) values.push(rounded(each * 10 ** power));
  }
  return values.filter((value) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9));
}

/**
 * @param {number} value
 * @returns {number}
 */
function rounded(value) {
  return Number(value.toPrecision(12));
}

/**
 * Return round values between two values.
 * @param {number} low
 * @param {number} high
 * @param {number} count
 * @returns {number[]}
 */
function roundValues(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 2.5, 5, 10].find((each) => each * power >= rough * (1 - 1e-9)) ?? 10;
  const step = factor * power;
  const values = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + 1e-9 * step; index++) {
    values.push(rounded(index * step));
  }
  return values;
}

/**
 * Return the text of a tick.
 * @param {number} value
 * @returns {string}
 */
function tickText(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) {
    return Number(value.toPrecision(10)).toExponential().replace("e+", "e");
  }
  return String(Number(value.toPrecision(10)));
}

/**
 * Return the ends of a scale for values, with a margin.
 * @param {(number | null)[]} values
 * @param {boolean} logarithmic
 * @returns {[number, number]}
 */
function scaleBounds(values, logarithmic) {
  const shown = /** @type {number[]} */ (
    values.filter((value) => value !== null && (value > 0 || !logarithmic))
  );
  if (!shown.length) return logarithmic ? [0.1, 1] : [0, 1];
  const low = shown.reduce((a, b) => Math.min(a, b));
  const high = shown.reduce((a, b) => Math.max(a, b));
  if (logarithmic) return [low / 1.3, high * 1.3];
  const margin = 0.05 * (high - low) || 0.1 * Math.abs(high) || 1;
  return [low >= 0 && (low < 0.3 * high || low < margin) ? 0 : low - margin, high + margin];
}
