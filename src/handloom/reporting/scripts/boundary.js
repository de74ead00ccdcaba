"use strict";

/** How long a frame is shown, in milliseconds. */
const FRAME_TIME = 350;

/** The pictures of the epochs, with a slider, and a button that plays them. */
class BoundaryPlayer {
  /**
   * @param {HTMLElement} tools
   * @param {string[]} names - of the frames
   */
  constructor(tools, names) {
    const section = /** @type {HTMLElement} */ (tools.closest("section"));
    this.names = names;
    this.slider = /** @type {HTMLInputElement} */ (section.querySelector("#boundary-slider"));
    this.button = /** @type {HTMLElement} */ (section.querySelector("#boundary-play"));
    this.name = /** @type {HTMLElement} */ (section.querySelector("#boundary-name"));
    this.picture = /** @type {SVGElement} */ (section.querySelector(".boundary-plane .boundary-picture"));
    this.timer = 0;
    this.slider.addEventListener("input", () => {
      this.pause();
      this.show(Number(this.slider.value));
    });
    this.button.addEventListener("click", () => (this.timer ? this.pause() : this.play()));
    this.show(names.length - 1);
    section.classList.add("boundary-live");
    tools.hidden = false;
  }

  /** @param {number} frame */
  show(frame) {
    this.slider.value = String(frame);
    this.slider.setAttribute("aria-valuetext", this.names[frame]);
    this.name.textContent = this.names[frame];
    this.picture.setAttribute("href", `#boundary-frame-${frame}`);
  }

  /** Play from here; from the first frame if this is the last one. */
  play() {
    const frame = Number(this.slider.value);
    this.show(frame === this.names.length - 1 ? 0 : frame);
    this.button.textContent = "Pause";
    this.timer = setInterval(() => this.advance(), FRAME_TIME);
  }

  advance() {
    const frame = Number(this.slider.value) + 1;
    this.show(frame);
    if (frame === this.names.length - 1) this.pause();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = 0;
    this.button.textContent = "Play";
  }
}

const boundaryTools = document.getElementById("boundary-tools");
const boundaryPlayer = boundaryTools && new BoundaryPlayer(boundaryTools, sectionData("boundary").names);
