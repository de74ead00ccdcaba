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
    this.changes = new ChangeHistory(
      () => this.state(),
      (state, change) => this.restore(state, change),
    );
    const canvas = /** @type {HTMLCanvasElement} */ (this.part("alive-board"));
    const remember = () => this.changes.remember();
    const onChange = (/** @type {string} */ change) => this.changed(change);
    this.board = new Board(canvas, data.shape, data.levels, remember, onChange, this.announcer);
    this.outputs = outputLayers(this.network);
    this.views = this.layerViews(data);
    connectTools(stage, this.board, this.images, this.changes);
    this.part("alive-all-on").addEventListener("click", () => this.switchAllOn());
    const origin = { image: 0, changed: false, cut: false };
    this.board.restore({ pixels: this.images[0], origin, turned: null }, "");
  }

  /** Return the whole state, a copy. */
  state() {
    const off = new Map([...this.switchedOff].map(([name, units]) => [name, new Set(units)]));
    return { board: this.board.state(), off };
  }

  /**
   * @param {{board: BoardState, off: Map<string, Set<number>>}} state
   * @param {string} change - a sentence
   */
  restore({ board, off }, change) {
    this.switchedOff = off;
    this.board.restore(board, change);
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
      const isOutput = this.outputs.has(layer.name);
      const names = isOutput && sizeOf(layer.output_shape) === class_names.length ? class_names : [];
      views.push(new LayerView(figure, layer, pixels, names, onSwitch, this.announcer));
    }
    return views;
  }

  /** @param {string} change - a sentence, possibly empty */
  changed(change) {
    this.change = change;
    showOrigin(this.stage, this.board.state());
    this.listSwitchedOff();
    enable(this.stage.querySelector("[data-action=undo]"), this.changes.earlier.length > 0);
    enable(this.stage.querySelector("[data-action=redo]"), this.changes.later.length > 0);
    enable(this.part("alive-all-on"), this.switchedOff.size > 0);
    this.schedule();
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
    const excluded = this.excluded();
    const unchanged = this.switchedOff.size
      ? predictionOf(runNetwork(this.network, row, new Map()))
      : undefined;
    const prediction = this.table.show(
      predictionOf(outputs),
      this.board.isEmpty(),
      excluded,
      unchanged,
    );
    if (this.ready) this.announcer.say(`${this.change}${prediction}`);
    this.ready = true;
    this.change = "";
  }

  /** Return the classes whose output unit is switched off. */
  excluded() {
    const off = [...this.outputs].flatMap((name) => [...(this.switchedOff.get(name) ?? [])]);
    return new Set(this.table.names.length === sizeOf(this.outputShape()) ? off : []);
  }

  outputShape() {
    return this.network.layers[this.network.layers.length - 1].output_shape;
  }

  /**
   * Switch a unit off, or on again.
   *
   * @param {string} name - of the layer
   * @param {number} unit
   */
  switchUnit(name, unit) {
    this.changes.remember();
    const units = this.switchedOff.get(name) ?? new Set();
    if (!units.delete(unit)) units.add(unit);
    this.switchedOff.set(name, units);
    if (!units.size) this.switchedOff.delete(name);
    const off = units.has(unit);
    const label = this.className(name, unit);
    const [subject, change] = label
      ? [label, off ? "excluded" : "no longer excluded"]
      : [`${name} ${unit}`, off ? "off" : "on"];
    this.changed(`${subject} ${change}. `);
  }

  /**
   * Return the class of an output unit, or nothing for another unit.
   *
   * @param {string} name - of the layer
   * @param {number} unit
   * @returns {string}
   */
  className(name, unit) {
    return this.views.find((view) => view.layer.name === name)?.names[unit] ?? "";
  }

  switchAllOn() {
    if (!this.switchedOff.size) return;
    this.changes.remember();
    this.switchedOff = new Map();
    this.changed("All units on. ");
  }

  /** List the units that are off, each a button that switches it on. */
  listSwitchedOff() {
    const buttons = [...this.switchedOff].flatMap(([name, units]) =>
      [...units].map((unit) => {
        const label = this.className(name, unit);
        const text = label ? `${label}, excluded` : `${name} ${unit}`;
        const button = newButton(text, () => {
          this.part("alive-all-on").focus(); // this button goes
          this.switchUnit(name, unit);
        });
        button.setAttribute("aria-label", `${text}${label ? "" : ", off"}; switch it on`);
        return button;
      }),
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
