"use strict";

/** A field of the form: a number with a slider, a choice, or a box to check. */
class FormField {
  /**
   * @param {HTMLElement} element
   * @param {boolean} required - whether the value may not be missing
   * @param {() => void} onChange
   */
  constructor(element, required, onChange) {
    this.required = required;
    this.control = /** @type {HTMLInputElement | HTMLSelectElement} */ (
      element.querySelector("select, input:not([type=range])")
    );
    this.box = /** @type {HTMLInputElement | null} */ (element.querySelector("[type=checkbox]"));
    this.slider = /** @type {HTMLInputElement | null} */ (element.querySelector("[type=range]"));
    this.name = element.querySelector("label")?.textContent ?? "";
    this.control.addEventListener("input", () => {
      this.showOnSlider();
      onChange();
    });
    this.control.addEventListener("keydown", (event) => {
      if (event instanceof KeyboardEvent) this.step(event);
    });
    this.slider?.addEventListener("input", () => {
      this.control.value = this.slider?.value ?? "";
      onChange();
    });
  }

  /** Whether it holds a text that is no number, or nothing where there must be a number. */
  get invalid() {
    return this.control.validity.badInput || (this.required && this.control.value === "");
  }

  /** @returns {Cell} */
  get cell() {
    if (this.box) return Number(this.box.checked);
    return this.control.value === "" ? null : Number(this.control.value);
  }

  set cell(cell) {
    if (this.box) this.box.checked = cell === 1;
    else if (this.control instanceof HTMLSelectElement) this.choose(cell);
    else this.control.value = cell === null ? "" : String(cell);
    this.showOnSlider();
  }

  /**
   * Choose the option with a value; "another" for a category that is too rare to be one.
   *
   * @param {Cell} cell
   */
  choose(cell) {
    const options = [.../** @type {HTMLSelectElement} */ (this.control).options];
    const same = (/** @type {HTMLOptionElement} */ option) =>
      option.value === "" ? cell === null : Number(option.value) === cell;
    const chosen = options.find(same) ?? options.find((each) => Number(each.value) === UNSEEN);
    if (chosen) chosen.selected = true;
  }

  showOnSlider() {
    if (!this.slider) return;
    this.slider.classList.toggle("form-missing", this.control.value === "");
    if (this.control.value !== "") this.slider.value = this.control.value;
  }

  /**
   * Change a number by a step that suits its range; the browser's own would be 1.
   *
   * @param {KeyboardEvent} event
   */
  step(event) {
    const up = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!up || this.control.dataset.step === undefined) return;
    event.preventDefault();
    const step = Number(this.control.dataset.step);
    const decimals = Math.max(0, -Math.floor(Math.log10(step)));
    const start = this.control.value === "" ? (this.slider?.value ?? "0") : this.control.value;
    const value = Number(start) + up * step;
    this.control.value = String(Number(value.toFixed(Math.min(decimals + 3, 100))));
    this.control.dispatchEvent(new Event("input"));
  }
}
