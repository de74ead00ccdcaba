// The parts of a line chart, as charts/line_chart.py draws them: axes, marks and lines.

const CHART = { height: 260, left: 52, right: 14, top: 28, bottom: 40 };
const DASHES = ["", "7 4", "2 3", "9 3 2 3", "14 5"];
const COLORS = 8;
/** How far points and strokes reach over the edge of the plot. */
const OVERLAP = 4;

/**
 * @typedef {{name: string, group: number, x: number[], y: (number | null)[], points: boolean,
 *   dash: number}} Series
 * @typedef {{axis: string, at: number, label: string}} Mark
 */

/**
 * Return the pattern of a line: neighbors differ, and so do lines of the same color.
 * @param {number} index - of the color
 * @param {number} dash - which tells lines of a group apart
 * @returns {string}
 */
function dashesOf(index, dash) {
  return DASHES[(index + Math.floor(index / COLORS) + dash) % DASHES.length];
}

/**
 * Return the axes; a screen reader has the table instead of loose numbers.
 * @param {Scale} x
 * @param {Scale} y
 * @param {{xLabel: string, yLabel: string}} labels
 * @param {number} width
 * @returns {SVGElement}
 */
function axesOf(x, y, { xLabel, yLabel }, width) {
  const { height, left, right, bottom } = CHART;
  const end = width - right;
  const base = height - bottom;
  const axes = svgElement("g", { "aria-hidden": "true" });
  for (const value of y.ticks(5)) {
    const at = y.at(value);
    axes.append(
      svgElement("line", { x1: left, x2: end, y1: at, y2: at, class: "grid" }),
      svgElement("text", { x: left - 7, y: at + 4, "text-anchor": "end" }, tickText(value)),
    );
  }
  for (const value of x.ticks(Math.max(2, Math.min(8, width / 70)))) {
    if (!Number.isInteger(value)) continue;
    const point = { x: x.at(value), y: base + 17, "text-anchor": "middle" };
    axes.append(svgElement("text", point, tickText(value)));
  }
  axes.append(
    svgElement("line", { x1: left, x2: end, y1: base, y2: base, class: "axis" }),
    svgElement("text", { x: end, y: height - 6, "text-anchor": "end" }, xLabel),
    svgElement("text", { x: 0, y: 12, class: "axis-label" }, yLabel),
  );
  return axes;
}

/**
 * Return an element that cuts off what lies outside of the axes.
 * @param {number} width
 * @returns {SVGElement}
 */
function clippedArea(width) {
  const { height, left, right, top, bottom } = CHART;
  const [x, y] = [left - OVERLAP, top - OVERLAP];
  const size = [width - left - right + 2 * OVERLAP, height - top - bottom + 2 * OVERLAP];
  const viewBox = `${x} ${y} ${size[0]} ${size[1]}`;
  return svgElement("svg", { x, y, width: size[0], height: size[1], viewBox, class: "clip" });
}

/**
 * Return whether a coordinate is in the right half, where labels end at their lines.
 * @param {number} at
 * @param {number} width
 * @returns {boolean}
 */
function isLate(at, width) {
  return at > (CHART.left + width - CHART.right) / 2;
}

/**
 * Return the line and the label of a mark, or null if it lies outside of the axes.
 * @param {Mark} mark
 * @param {Scale} x
 * @param {Scale} y
 * @param {number} width
 * @param {boolean} crowded - whether an epoch has its label at the right
 * @returns {[SVGElement, SVGElement] | null}
 */
function markOf(mark, x, y, width, crowded) {
  const { height, left, right, top, bottom } = CHART;
  const scale = mark.axis === "x" ? x : y;
  if (mark.at < scale.low || mark.at > scale.high) return null;
  const at = scale.at(mark.at);
  const late = isLate(at, width);
  const [line, label] =
    mark.axis === "x"
      ? [
          { x1: at, x2: at, y1: top, y2: height - bottom },
          { x: late ? at - 5 : at + 5, y: top + 10, "text-anchor": late ? "end" : "start" },
        ]
      : [
          { x1: left, x2: width - right, y1: at, y2: at },
          crowded
            ? { x: left + 5, y: at - 5, "text-anchor": "start" }
            : { x: width - right, y: at - 5, "text-anchor": "end" },
        ];
  return [
    svgElement("line", { ...line, class: "mark" }),
    svgElement("text", { ...label, class: "mark-label" }, mark.label),
  ];
}

/**
 * Return a line, and its points if they are drawn too.
 * @param {Series} series
 * @param {number} color
 * @param {Scale} x
 * @param {Scale} y
 * @returns {SVGElement[]}
 */
function lineOf(series, color, x, y) {
  const contains = (/** @type {number} */ epoch) => epoch >= x.low && epoch <= x.high;
  let path = "";
  let drawing = false;
  /** @type {SVGElement[]} */
  const dots = [];
  series.x.forEach((epoch, point) => {
    const value = series.y[point];
    const near = [point - 1, point, point + 1].some((each) => contains(series.x[each] ?? NaN));
    if (value === null || !near || (y.logarithmic && value <= 0)) {
      drawing = false;
      return;
    }
    const [across, down] = [x.at(epoch), y.at(value)];
    path += `${drawing ? "L" : "M"}${across.toFixed(1)} ${down.toFixed(1)}`;
    drawing = true;
    if (series.points && contains(epoch)) {
      const dot = { cx: across, cy: down, r: 3, class: `dot series-${color % COLORS}` };
      dots.push(svgElement("circle", dot));
    }
  });
  const stroke = { d: path, class: `line series-${color % COLORS}` };
  const dashes = dashesOf(color, series.dash);
  const dashed = dashes ? { ...stroke, "stroke-dasharray": dashes } : stroke;
  return [svgElement("path", dashed), ...dots];
}
