// Line charts: reads values off, zooms, changes the axis, and draws a chart as wide as its column.
// Without this script the charts are those that Python drew.

/**
 * @typedef {{xLabel: string, yLabel: string, logarithmic: boolean, groups: string[],
 *   colors: number[], marks: Mark[], series: Series[]}} ChartData
 */

const NO_LINE = "no line is shown";

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
  printing = false;
  enlargement = 1;

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
      this.say(`logarithmic axis ${this.logarithmic ? "on" : "off"}`);
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
      `${figure.querySelector("h3")?.textContent}. Arrow keys, home and end read values off, plus ` +
        "and minus zoom, escape shows all.",
    );
  }

  /** @param {HTMLElement} figure */
  addLegend(figure) {
    const items = figure.querySelectorAll(".legend li");
    if (items.length < 2) return;
    figure.querySelector(".legend")?.setAttribute("aria-label", "Lines: a name hides its line");
    items.forEach((item, index) => {
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
    plot.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch") this.point(null); // what was tapped stays
    });
    plot.addEventListener("pointercancel", () => this.endDrag()); // the page scrolls
    plot.addEventListener("pointerdown", (event) => {
      if (event.button === 0) this.dragged = this.coordinate(event);
    });
    plot.addEventListener("pointerup", (event) => {
      const [start, end] = [this.dragged, this.coordinate(event)];
      this.dragged = null;
      if (start !== null && Math.abs(start - end) > 8) {
        const ends = [start, end].sort((a, b) => a - b).map((each) => this.x.value(each));
        this.zoom([Math.max(ends[0], this.whole[0]), Math.min(ends[1], this.whole[1])]);
      } else this.point(end);
    });
    window.addEventListener("beforeprint", () => this.print(true));
    window.addEventListener("afterprint", () => this.print(false));
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

  endDrag() {
    this.dragged = null;
    this.readOff();
  }

  /** @param {boolean} printing - all lines are printed, those hidden on the screen too */
  print(printing) {
    this.printing = printing;
    this.draw();
  }

  /** @param {Series} series */
  isShown(series) {
    return this.printing || !this.hidden.has(series.group);
  }

  /** @param {string} sentence */
  say(sentence) {
    if (this.readout) this.readout.textContent = sentence;
  }

  /**
   * @param {PointerEvent} event
   * @returns {number}
   */
  coordinate(event) {
    return (event.clientX - this.plot.getBoundingClientRect().left) / this.enlargement;
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
    const [from, to] = [this.visible()[0], this.visible().pop()];
    if (from === undefined || to === undefined) return;
    const ends = `${this.data.xLabel} ${readable(from)} to ${readable(to)}`;
    this.say(this.showsAll() ? `whole axis: ${ends}` : ends);
  }

  /**
   * Draw the chart for the width of its column.
   *
   * It is drawn for the usual size of text, and enlarged as the page's text is.
   */
  draw() {
    this.enlargement = textEnlargement();
    const width = this.plot.clientWidth / this.enlargement;
    if (!width) return;
    const { height, left, right } = CHART;
    const shown = this.data.series.filter((each) => this.isShown(each));
    this.x = newScale(this.range[0], this.range[1], left, width - right, false);
    this.y = this.verticalScale(shown.length ? shown : this.data.series);
    const svg = svgElement("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
    svg.setAttribute("aria-label", this.label);
    const crowded = this.data.marks.some(
      ({ axis, at }) => axis === "x" && at <= this.x.high && isLate(this.x.at(at), width),
    );
    const marks = this.data.marks.map((each) => markOf(each, this.x, this.y, width, crowded));
    const area = clippedArea(width);
    for (const each of shown) {
      area.append(...lineOf(each, this.data.colors[each.group], this.x, this.y));
    }
    this.overlay = svgElement("g", {});
    svg.append(axesOf(this.x, this.y, this.data, width));
    for (const mark of marks) if (mark) svg.append(mark[0]);
    svg.append(area);
    for (const mark of marks) if (mark) svg.append(mark[1]); // over the lines
    svg.append(this.overlay);
    if (!shown.length) {
      const middle = { x: (left + width - right) / 2, y: height / 2, "text-anchor": "middle" };
      svg.append(svgElement("text", middle, NO_LINE));
    }
    this.plot.replaceChildren(svg);
    this.axisButton?.setAttribute("aria-pressed", String(this.logarithmic));
    if (this.zoomButton) this.zoomButton.hidden = this.showsAll();
    this.readOff();
    if (!shown.length) this.say(NO_LINE);
  }

  /**
   * Return the vertical scale for the visible part of lines.
   * @param {Series[]} lines
   */
  verticalScale(lines) {
    const inside = lines.flatMap((each) => each.y.filter((_, i) => this.contains(each.x[i])));
    const marked = this.data.marks.filter((each) => each.axis === "y").map((each) => each.at);
    const [low, high] = scaleBounds(this.showsAll() ? [...inside, ...marked] : inside, this.logarithmic);
    return newScale(low, high, CHART.height - CHART.bottom, CHART.top, this.logarithmic);
  }

  /** @returns {boolean} */
  showsAll() {
    return this.range[0] === this.whole[0] && this.range[1] === this.whole[1];
  }

  /** @param {number} epoch */
  contains(epoch) {
    return epoch >= this.range[0] && epoch <= this.range[1];
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
      if (value === undefined || value === null || !this.isShown(each)) continue;
      const several = this.data.series.filter((other) => other.group === each.group).length > 1;
      const named = several ? `${each.name} ${readable(value)}` : readable(value);
      values.set(each.group, [...(values.get(each.group) ?? []), named]);
      if (this.logarithmic && value <= 0) continue;
      const color = this.data.colors[each.group] % COLORS;
      const dot = { cx: x, cy: this.y.at(value), r: 4, class: `dot series-${color}` };
      this.overlay.append(svgElement("circle", dot));
    }
    const parts = [...values].map(([group, each]) => `${this.data.groups[group]} ${each.join(", ")}`);
    this.readout.textContent = `${this.data.xLabel} ${readable(this.chosen)}: ${parts.join(" · ")}`;
  }
}

for (const charts of document.querySelectorAll(".charts")) {
  if (!charts.querySelector("[data-chart]")) continue;
  const hint = document.createElement("p");
  hint.className = "charts-hint";
  hint.textContent =
    (byFinger
      ? "Tap a chart to read values off; drag across it to zoom in."
      : "Point at a chart to read values off; drag across it to zoom in. By keyboard: arrow keys, " +
        "Home and End read values off, plus and minus zoom, Escape shows all.") +
    (charts.querySelector(".legend li + li") ? " A name in a legend hides its line." : "");
  charts.before(hint);
}
for (const figure of document.querySelectorAll("figure.chart")) {
  if (!(figure instanceof HTMLElement)) continue;
  const data = sectionData(figure.dataset.section ?? "");
  const chart = data?.charts?.[figure.dataset.chart ?? ""];
  if (chart) new LiveChart(figure, chart);
}
