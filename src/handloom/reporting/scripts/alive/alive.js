"use strict";

/**
 * The network, alive: an image that the reader changes, and the network that runs on it.
 */
class Playground {
  /**
   * @param {HTMLElement} stage
   * @param {any} data - of the section
   */
  constructor(stage, data) {
    this.stage = stage;
    this.network = decodeNetwork(data.network);
    this.images = data.images.map(decodeArray);
    /** @type {Map<string, Set<number>>} units by layer */
    this.switchedOff = new Map();
    this.scheduled = false;
    this.ready = false; // the first prediction is not announced
    this.change = ""; // the last one, for a screen reader
    this.announcer = new Announcer(this.part("alive-live"));
    const table = /** @type {HTMLTableElement} */ (this.part("alive-predictions"));
    this.table = new PredictionTable(table, data.class_names);
    const canvas = /** @type {HTMLCanvasElement} */ (this.part("alive-board"));
    this.board = new Board(canvas, data.shape, data.levels, () => this.schedule(), this.announcer);
    this.views = this.layerViews(data);
    connectTools(stage, this.board, this.images);
    this.part("alive-all-on").addEventListener("click", () => this.switchAllOn());
    this.board.setPixels(this.images[0]);
  }

  /**
   * @param {string} id
   * @returns {HTMLElement}
   */
  part(id) {
    return /** @type {HTMLElement} */ (document.getElementById(id));
  }

  /**
   * @param {any} data - of the section
   * @returns {LayerView[]}
   */
  layerViews({ shape, class_names }) {
    const all = flatLayers(this.network.layers);
    const first = all.find((layer) => layer.arrays.weights);
    /** @type {LayerView[]} */
    const views = [];
    for (const figure of /** @type {NodeListOf<HTMLElement>} */ (this.stage.querySelectorAll("[data-layer]"))) {
      const layer = all.find((each) => each.name === figure.dataset.layer);
      if (!layer) continue;
      const pixels = layer === first && sizeOf(layer.input_shape) === sizeOf(shape) ? shape : null;
      const onSwitch = (/** @type {string} */ name, /** @type {number} */ unit) =>
        this.switchUnit(name, unit);
      const isLast = layer === this.network.layers.at(-2); // the logits
      const names = isLast && sizeOf(layer.output_shape) > 1 ? class_names : [];
      views.push(new LayerView(figure, layer, pixels, names, onSwitch, this.announcer));
    }
    return views;
  }

  /** Run the network before the next picture of the screen, once for several changes. */
  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.run();
    });
  }

  run() {
    const row = this.board.drawing.pixels;
    const outputs = runNetwork(this.network, row, this.switchedOff);
    for (const view of this.views) {
      const values = /** @type {Float32Array} */ (outputs.get(view.layer.name));
      view.show(values, this.switchedOff.get(view.layer.name) ?? new Set());
    }
    const unchanged = this.switchedOff.size
      ? predictionOf(runNetwork(this.network, row, new Map()))
      : undefined;
    const prediction = this.table.show(predictionOf(outputs), unchanged);
    if (this.ready) this.announcer.say(`${this.change}${prediction}`);
    this.ready = true;
    this.change = "";
  }

  /**
   * Switch a unit off, or on again.
   *
   * @param {string} name - of the layer
   * @param {number} unit
   */
  switchUnit(name, unit) {
    const units = this.switchedOff.get(name) ?? new Set();
    if (!units.delete(unit)) units.add(unit);
    this.change = `${name} ${unit} ${units.has(unit) ? "off" : "on"}. `;
    this.switchedOff.set(name, units);
    if (!units.size) this.switchedOff.delete(name);
    this.listSwitchedOff();
    this.schedule();
  }

  switchAllOn() {
    this.switchedOff.clear();
    this.change = "All units on. ";
    this.listSwitchedOff();
    this.schedule();
  }

  /** List the units that are off, each a button that switches it on. */
  listSwitchedOff() {
    const buttons = [...this.switchedOff].flatMap(([name, units]) =>
      [...units].map((unit) => newButton(`${name} ${unit}`, () => this.switchUnit(name, unit))),
    );
    const list = this.part("alive-off");
    list.hidden = !buttons.length;
    this.part("alive-off-units").replaceChildren(
      ...buttons.map((button) => {
        button.title = "switch it on";
        const entry = document.createElement("li");
        entry.append(button);
        return entry;
      }),
    );
  }
}

/**
 * Return layers and those inside of residual blocks.
 *
 * @param {NetworkLayer[]} layers
 * @returns {NetworkLayer[]}
 */
function flatLayers(layers) {
  return layers.flatMap((layer) => [layer, ...flatLayers(Object.values(layer.branches).flat())]);
}

/**
 * @param {Map<string, Float32Array>} outputs
 * @returns {number[]}
 */
function predictionOf(outputs) {
  return probabilitiesOf(/** @type {Float32Array} */ (outputs.get("prediction")));
}

/**
 * Bring the section to life, if the page has one that can be.
 *
 * @returns {Playground | null}
 */
function startPlayground() {
  const stage = document.getElementById("alive-stage");
  if (!stage) return null;
  const started = new Playground(stage, sectionData("alive"));
  for (const still of document.querySelectorAll(".alive-still")) still.remove();
  stage.hidden = false;
  return started;
}

const playground = startPlayground();
