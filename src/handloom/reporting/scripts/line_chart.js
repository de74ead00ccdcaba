// Line charts: reads values off, zooms, changes the axis, and draws a chart as wide as its column.
// Without this script the charts are those that Python drew.

const CHART = { height: 260, left: 52, right: 14, top: 28, bottom: 40 };
const DASHES = ["", "7 4", "2 3", "9 3 2 3", "14 5"];

/**
 * @typedef {{name: string, group: number, x: number[], y: (number | null)[], points: boolean,
 *   dash: number}} Series
 * @typedef {{axis: string, at: number, label: string}} Mark
 * @typedef {{xLabel: string, yLabel: string, logarithmic: boolean, groups: string[],
 *   colors: number[], marks: Mark[], series: Series[]}} ChartData
 */

/** A line chart that is alive. */
class LiveChart {
  /** @type {Scale} */
  x = newScale(0, 1, 0, 1, false);
  /** @type {Scale} */
  y = newScale(0, 1, 0, 1, false);
  /** @type {SVGElement | undefined} */
  overlay = undefined;
  /** @type {HTMLOutputElement | undefined} */
  readout = undefined;
  /** @type {HTMLButtonElement | undefined} */
  axisButton = undefined;
  /** @type {HTMLButtonElement | undefined} */
  zoomButton = undefined;
  /** @type {number | undefined} */
  pointer = undefined;

  /**
   * @param {HTMLElement} figure
   * @param {ChartData} data
   */
  constructor(figure, data) {
    this.data = data;
    this.plot = /** @type {HTMLElement} */ (figure.querySelector(".plot"));
    this.label = this.plot.querySelector("svg")?.getAttribute("aria-label") ?? "";
    this.logarithmic = data.logarithmic;
    /** @type {Set<number>} */
    this.hidden = new Set();
    this.epochs = [...new Set(data.series.flatMap((each) => each.x))].sort((a, b) => a - b);
    /** @type {[number, number]} */
    this.whole = [this.epochs[0] ?? 0, this.epochs[this.epochs.length - 1] ?? 1];
    if (this.whole[0] === this.whole[1]) this.whole = [this.whole[0] - 0.5, this.whole[1] + 0.5];
    this.range = this.whole;
    /** @type {number | null} */
    this.chosen = null;
    /** @type {number | null} */
    this.dragged = null;
    this.addTools(figure);
    this.addLegend(figure);
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  /** @param {HTMLElement} figure */
  addTools(figure) {
    const tools = document.createElement("div");
    tools.className = "tools";
    this.axisButton = newButton("Logarithmic axis", () => {
      this.logarithmic = !this.logarithmic;
      this.draw();
    });
    this.zoomButton = newButton("Show all epochs", () => this.zoom(this.whole));
    const positive = this.data.series.some((each) => each.y.some((y) => y !== null && y > 0));
    this.readout = document.createElement("output");
    this.readout.className = "readout";
    if (positive) tools.append(this.axisButton);
    tools.append(this.zoomButton, this.readout);
    this.plot.after(tools);
    this.plot.tabIndex = 0;
    this.plot.setAttribute("role", "group");
    this.plot.setAttribute(
      "aria-label",
      `${figure.querySelector("h3")?.textContent}. Left and right arrow keys read values off, plus ` +
        "and minus zoom.",
    );
  }

  /** @param {HTMLElement} figure */
  addLegend(figure) {
    figure.querySelectorAll(".legend li").forEach((item, index) => {
      const sample = item.querySelector("svg");
      const button = newButton(item.textContent ?? "", () => {
        if (!this.hidden.delete(index)) this.hidden.add(index);
        button.setAttribute("aria-pressed", String(!this.hidden.has(index)));
        this.draw();
      });
      button.className = "series-button";
      button.setAttribute("aria-pressed", "true");
      button.title = "Show or hide this line";
      if (sample) button.prepend(sample);
      item.replaceChildren(button);
    });
  }

  listen() {
    const plot = this.plot;
    plot.addEventListener("pointermove", (event) => this.point(this.coordinate(event)));
    plot.addEventListener("pointerleave", () => this.point(null));
    plot.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse") this.dragged = this.coordinate(event);
    });
    plot.addEventListener("pointerup", (event) => {
      const [start, end] = [this.dragged, this.coordinate(event)];
      this.dragged = null;
      if (start !== null && Math.abs(start - end) > 8) {
        const ends = [start, end].sort((a, b) => a - b).map((each) => this.x.value(each));
        this.zoom([ends[0], ends[1]]);
      } else this.point(end);
    });
    plot.addEventListener("dblclick", () => this.zoom(this.whole));
    plot.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1 };
      if (event.key in steps) this.step(steps[/** @type {keyof typeof steps} */ (event.key)]);
      else if (event.key === "Home") this.choose(this.visible()[0] ?? null);
      else if (event.key === "End") this.choose(this.visible().pop() ?? null);
      else if (event.key === "+" || event.key === "=") this.zoomBy(0.5);
      else if (event.key === "-") this.zoomBy(2);
      else if (event.key === "Escape") this.zoom(this.whole);
      else return;
      event.preventDefault();
    });
  }

  /**
   * @param {PointerEvent} event
   * @returns {number}
   */
  coordinate(event) {
    return event.clientX - this.plot.getBoundingClientRect().left;
  }

  /** @returns {number[]} */
  visible() {
    return this.epochs.filter((each) => each >= this.range[0] && each <= this.range[1]);
  }

  /** @param {number | null} coordinate */
  point(coordinate) {
    if (coordinate === null) {
      this.dragged = null;
      this.choose(null);
      return;
    }
    this.pointer = coordinate;
    const value = this.x.value(coordinate);
    const distance = (/** @type {number} */ epoch) => Math.abs(epoch - value);
    const epochs = this.visible();
    this.choose(
      epochs.length ? epochs.reduce((a, b) => (distance(b) < distance(a) ? b : a)) : null,
    );
  }

  /** @param {number} by */
  step(by) {
    const epochs = this.visible();
    const index = this.chosen === null ? -1 : epochs.indexOf(this.chosen);
    const next = index < 0 ? (by > 0 ? 0 : epochs.length - 1) : index + by;
    this.choose(epochs[Math.min(Math.max(next, 0), epochs.length - 1)] ?? null);
  }

  /** @param {number | null} epoch */
  choose(epoch) {
    this.chosen = epoch;
    this.readOff();
  }

  /** @param {number} factor */
  zoomBy(factor) {
    const [from, to] = this.range;
    const middle = this.chosen ?? (from + to) / 2;
    const half = ((to - from) * factor) / 2;
    this.zoom([Math.max(this.whole[0], middle - half), Math.min(this.whole[1], middle + half)]);
  }

  /** @param {[number, number]} range */
  zoom(range) {
    if (range[1] - range[0] < 1) return;
    this.range = range;
    this.draw();
  }

  /** Draw the chart for the width of its column. */
  draw() {
    const width = this.plot.clientWidth;
    if (!width) return;
    const { height, left, right, top, bottom } = CHART;
    const inside = this.data.series
      .filter((each) => !this.hidden.has(each.group))
      .flatMap((each) => each.y.filter((_, index) => this.contains(each.x[index])));
    const marked = this.data.marks.filter((each) => each.axis === "y").map((each) => each.at);
    const all = this.range === this.whole ? [...inside, ...marked] : inside;
    const [low, high] = scaleBounds(all, this.logarithmic);
    this.x = newScale(this.range[0], this.range[1], left, width - right, false);
    this.y = newScale(low, high, height - bottom, top, this.logarithmic);
    const svg = svgElement("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
    svg.setAttribute("aria-label", this.label);
    this.drawAxes(svg, width);
    for (const mark of this.data.marks) this.drawMark(svg, mark, width);
    for (const each of this.data.series) {
      if (!this.hidden.has(each.group)) this.drawLine(svg, each);
    }
    this.overlay = svgElement("g", {});
    svg.append(this.overlay);
    this.plot.replaceChildren(svg);
    this.axisButton?.setAttribute("aria-pressed", String(this.logarithmic));
    if (this.zoomButton) this.zoomButton.hidden = this.range === this.whole;
    this.readOff();
  }

  /** @param {number} epoch */
  contains(epoch) {
    return epoch >= this.range[0] && epoch <= this.range[1];
  }

  /**
   * @param {SVGElement} svg
   * @param {number} width
   */
  drawAxes(svg, width) {
    const { height, left, right, bottom } = CHART;
    const end = width - right;
    for (const value of this.y.ticks(5)) {
      const y = this.y.at(value);
      svg.append(
        svgElement("line", { x1: left, x2: end, y1: y, y2: y, class: "grid" }),
        svgElement("text", { x: left - 7, y: y + 4, "text-anchor": "end" }, tickText(value)),
      );
    }
    for (const value of this.x.ticks(Math.max(2, Math.min(8, width / 70)))) {
      if (!Number.isInteger(value)) continue;
      const place = { x: this.x.at(value), y: height - bottom + 17, "text-anchor": "middle" };
      svg.append(svgElement("text", place, tickText(value)));
    }
    const base = height - bottom;
    svg.append(
      svgElement("line", { x1: left, x2: end, y1: base, y2: base, class: "axis" }),
      svgElement("text", { x: end, y: height - 6, "text-anchor": "end" }, this.data.xLabel),
      svgElement("text", { x: 0, y: 12, class: "axis-label" }, this.data.yLabel),
    );
  }

  /**
   * @param {SVGElement} svg
   * @param {Mark} mark
   * @param {number} width
   */
  drawMark(svg, mark, width) {
    const { height, left, right, top, bottom } = CHART;
    const scale = mark.axis === "x" ? this.x : this.y;
    if (mark.at < scale.low || mark.at > scale.high) return;
    const at = scale.at(mark.at);
    const late = at > (left + width - right) / 2;
    const [line, label] =
      mark.axis === "x"
        ? [
            { x1: at, x2: at, y1: top, y2: height - bottom },
            { x: late ? at - 5 : at + 5, y: top + 10, "text-anchor": late ? "end" : "start" },
          ]
        : [
            { x1: left, x2: width - right, y1: at, y2: at },
            { x: width - right, y: at - 5, "text-anchor": "end" },
          ];
    svg.append(
      svgElement("line", { ...line, class: "mark" }),
      svgElement("text", { ...label, class: "mark-label" }, mark.label),
    );
  }

  /**
   * @param {SVGElement} svg
   * @param {Series} series
   */
  drawLine(svg, series) {
    const color = this.data.colors[series.group];
    let path = "";
    let drawing = false;
    /** @type {SVGElement[]} */
    const dots = [];
    series.x.forEach((epoch, point) => {
      const value = series.y[point];
      const near = [point - 1, point, point + 1].some((each) => this.contains(series.x[each] ?? NaN));
      if (value === null || !near || (this.logarithmic && value <= 0)) {
        drawing = false;
        return;
      }
      const [x, y] = [this.x.at(epoch), this.y.at(value)];
      path += `${drawing ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      drawing = true;
      if (series.points && this.contains(epoch)) {
        dots.push(svgElement("circle", { cx: x, cy: y, r: 3, class: `dot series-${color % 8}` }));
      }
    });
    const stroke = { d: path, class: `line series-${color % 8}` };
    const dashes = DASHES[(Math.floor(color / 8) + series.dash) % DASHES.length];
    const dashed = dashes ? { ...stroke, "stroke-dasharray": dashes } : stroke;
    svg.append(svgElement("path", dashed), ...dots);
  }

  /** Show the values of the chosen epoch, and the part that is dragged over. */
  readOff() {
    if (!this.overlay || !this.readout) return;
    this.overlay.replaceChildren();
    const { height, top, bottom } = CHART;
    if (this.dragged !== null && this.pointer !== undefined) {
      const [from, to] = [this.dragged, this.pointer].sort((a, b) => a - b);
      const area = { x: from, y: top, width: to - from, height: height - bottom - top };
      this.overlay.append(svgElement("rect", { ...area, class: "selection" }));
    }
    if (this.chosen === null) {
      this.readout.textContent = "";
      return;
    }
    const x = this.x.at(this.chosen);
    this.overlay.append(
      svgElement("line", { x1: x, x2: x, y1: top, y2: height - bottom, class: "hover" }),
    );
    /** @type {Map<number, string[]>} */
    const values = new Map();
    for (const each of this.data.series) {
      const value = each.y[each.x.indexOf(this.chosen)];
      if (value === undefined || value === null || this.hidden.has(each.group)) continue;
      const several = this.data.series.filter((other) => other.group === each.group).length > 1;
      const named = several ? `${each.name} ${readable(value)}` : readable(value);
      values.set(each.group, [...(values.get(each.group) ?? []), named]);
      if (this.logarithmic && value <= 0) continue;
      const color = this.data.colors[each.group] % 8;
      const dot = { cx: x, cy: this.y.at(value), r: 4, class: `dot series-${color}` };
      this.overlay.append(svgElement("circle", dot));
    }
    const parts = [...values].map(([group, each]) => `${this.data.groups[group]} ${each.join(", ")}`);
    this.readout.textContent = `${this.data.xLabel} ${readable(this.chosen)}: ${parts.join(" · ")}`;
  }
}

for (const charts of document.querySelectorAll(".charts")) {
  const hint = document.createElement("p");
  hint.className = "charts-hint";
  hint.textContent =
    "Point at a chart to read values off; drag across it to zoom in. Arrow keys, plus and minus do " +
    "the same" + (charts.querySelector(".legend") ? "; a name hides its line." : ".");
  charts.before(hint);
}
for (const figure of document.querySelectorAll("figure.chart")) {
  if (!(figure instanceof HTMLElement)) continue;
  const data = sectionData(figure.dataset.section ?? "");
  const chart = data?.charts?.[figure.dataset.chart ?? ""];
  if (chart) new LiveChart(figure, chart);
}
