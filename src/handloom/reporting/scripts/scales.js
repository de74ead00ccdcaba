// Scales of charts: from values to coordinates and back, with ticks at round values. The same as
// charts/scales.py, for a chart that is drawn again.

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
  return {
    low,
    high,
    logarithmic,
    at: (value) => start + ((linear(value) - from) / (to - from)) * (end - start),
    value: (coordinate) => {
      const value = from + ((coordinate - start) / (end - start)) * (to - from);
      return logarithmic ? 10 ** value : value;
    },
    ticks: (count) => (logarithmic && powersOfTen(from, to, count)) || roundValues(low, high, count),
  };
}

/**
 * Return powers of ten between two logarithms, or null if there are fewer than two.
 * @param {number} from
 * @param {number} to
 * @param {number} count
 * @returns {number[] | null}
 */
function powersOfTen(from, to, count) {
  const step = Math.max(1, Math.ceil((to - from) / count));
  const powers = [];
  for (let power = Math.ceil(from - 1e-9); power <= to + 1e-9; power += step) powers.push(power);
  return powers.length > 1 ? powers.map((power) => 10 ** power) : null;
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
    values.push(Number((index * step).toPrecision(12)));
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
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(0).replace("e+", "e");
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
