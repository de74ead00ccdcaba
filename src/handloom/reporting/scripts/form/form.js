"use strict";

/** A row that the reader fills in, and the network that runs on it. */
class RowForm {
  /**
   * @param {HTMLElement} stage
   * @param {any} data - of the section
   */
  constructor(stage, data) {
    this.data = data;
    this.stage = stage;
    this.network = decodeNetwork(data.network);
    const elements = /** @type {NodeListOf<HTMLElement>} */ (stage.querySelectorAll("[data-field]"));
    this.fields = [...elements].map(
      (each, index) => new FormField(each, data.required[index], () => this.changed()),
    );
    const table = /** @type {HTMLTableElement | null} */ (stage.querySelector("#form-predictions"));
    this.table = table && new PredictionTable(table, data.names);
    this.announcer = new Announcer(this.part("form-live"));
    this.ready = false; // the first prediction is not announced
    this.row = 0;
    const actions = /** @type {Record<string, () => void>} */ ({
      next: () => this.start((this.row + 1) % data.rows.length),
      typical: () => this.start(-1),
      again: () => this.start(this.row),
    });
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (stage.querySelectorAll("[data-row]"))) {
      button.addEventListener("click", actions[button.dataset.row ?? ""]);
    }
    this.start(0);
  }

  /**
   * @param {string} id
   * @returns {HTMLElement}
   */
  part(id) {
    return /** @type {HTMLElement} */ (document.getElementById(id));
  }

  /**
   * Fill in a test row, or the typical row.
   *
   * @param {number} row - among the test rows in the page; -1 for the typical row
   */
  start(row) {
    this.row = row;
    const cells = this.startCells();
    this.fields.forEach((field, index) => {
      field.cell = cells[index];
    });
    this.changed();
  }

  /** @returns {Cell[]} the cells that the reader started from */
  startCells() {
    return this.row < 0 ? this.data.typical : this.data.rows[this.row].cells;
  }

  /** @returns {Cell[]} */
  cells() {
    return this.fields.map((field) => field.cell);
  }

  changed() {
    this.showStart();
    const invalid = this.fields.find((field) => field.invalid);
    const sentence = invalid
      ? this.showNothing(`${invalid.name} must be a number`)
      : this.showPrediction(predictRow(this.network, this.data, this.cells()));
    if (this.ready) this.announcer.say(sentence);
    this.ready = true;
  }

  /** Name the row that the reader started from, and its true target. */
  showStart() {
    const cells = this.startCells();
    const changes = this.cells().filter((cell, index) => cell !== cells[index]).length;
    const row = this.data.rows[this.row];
    const name = row ? row.name[0].toUpperCase() + row.name.slice(1) : "The typical row";
    this.part("form-start").textContent = changes ? `${name}, ${changes} changed` : name;
    const truth = row?.truth ? `True for ${row.name}: ${row.truth}` : "";
    this.part("form-truth").textContent = truth;
    enable(this.stage.querySelector("[data-row=again]"), changes > 0);
  }

  /**
   * @param {number[]} predicted
   * @returns {string} the prediction as a sentence
   */
  showPrediction(predicted) {
    if (this.table) return this.table.show(predicted, false, new Set());
    const texts = predicted.map(readableTarget);
    this.valueElements().forEach((value, index) => {
      value.textContent = texts[index];
    });
    return texts.map((text, index) => `${this.data.names[index]} ${text}`).join(", ");
  }

  /**
   * @param {string} reason
   * @returns {string}
   */
  showNothing(reason) {
    this.table?.show(this.data.names.map(() => 0), true, new Set());
    this.table?.showVerdict(reason);
    for (const value of this.valueElements()) value.textContent = "-";
    if (!this.table) this.part("form-start").textContent = reason;
    return reason;
  }

  valueElements() {
    return [...this.stage.querySelectorAll(".form-value")];
  }
}

/**
 * Return the prediction for raw cells: probabilities, or values in the units of the target.
 *
 * @param {Network} network
 * @param {any} data - of the section
 * @param {Cell[]} cells
 * @returns {number[]}
 */
function predictRow(network, { columns, classes, target }, cells) {
  const outputs = runNetwork(network, encodeRow(columns, cells), new Map());
  const prediction = /** @type {Float32Array} */ (outputs.get("prediction"));
  if (classes) return probabilitiesOf(prediction);
  const { mean, scale, log } = target ?? { mean: 0, scale: 1, log: false };
  return Array.from(prediction, (value) => {
    const restored = value * scale + mean;
    return log ? Math.exp(restored) : restored;
  });
}

/**
 * Return a prediction with six significant digits.
 *
 * @param {number} value
 * @returns {string}
 */
function readableTarget(value) {
  if (!Number.isFinite(value)) return "not finite";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e12)) return value.toExponential(5);
  return value.toLocaleString("en-US", { maximumSignificantDigits: 6 });
}

/**
 * Bring the section to life, if the page has one that can be.
 *
 * @returns {RowForm | null}
 */
function startForm() {
  const stage = document.getElementById("form-stage");
  if (!stage) return null;
  const started = new RowForm(stage, sectionData("row"));
  stage.closest("section")?.classList.add("form-live");
  stage.hidden = false;
  return started;
}

const rowForm = startForm();
