"use strict";

/**
 * Connect the buttons and sliders beside the board, and the test images, with it.
 *
 * @param {HTMLElement} stage
 * @param {Board} board
 * @param {Float32Array[]} images
 */
function connectTools(stage, board, images) {
  const actions = /** @type {Record<string, () => void>} */ ({
    clear: () => {
      board.clear();
      markChosen(stage, null);
    },
    undo: () => board.undo(),
    "turn-left": () => board.turn(-15),
    "turn-right": () => board.turn(15),
  });
  for (const name of Object.keys(MOVES)) actions[name] = () => board.move(name);
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (stage.querySelectorAll("[data-action]"))) {
    button.addEventListener("click", actions[button.dataset.action ?? ""]);
  }
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (stage.querySelectorAll("[data-image]"))) {
    button.addEventListener("click", () => board.replace(images[Number(button.dataset.image)]));
    button.addEventListener("click", () => markChosen(stage, button));
  }
  markChosen(stage, stage.querySelector("[data-image]"));
  for (const input of stage.querySelectorAll("input")) {
    input.addEventListener("input", () => chooseBrush(stage, board));
  }
  chooseBrush(stage, board);
}

/**
 * Mark the image that the reader started from, and say which one it is.
 *
 * @param {HTMLElement} stage
 * @param {Element | null} chosen - its button; null for none
 */
function markChosen(stage, chosen) {
  for (const button of stage.querySelectorAll("[data-image]")) {
    button.setAttribute("aria-pressed", String(button === chosen));
  }
  const start = stage.querySelector("#alive-start");
  if (start) start.textContent = chosen?.getAttribute("aria-label") ?? "A drawing of your own";
}

/**
 * Set the brush from its controls.
 *
 * @param {HTMLElement} stage
 * @param {Board} board
 */
function chooseBrush(stage, board) {
  const control = (/** @type {string} */ id) =>
    /** @type {HTMLInputElement} */ (stage.querySelector(`#${id}`));
  const [low, high] = board.levels;
  const level = (/** @type {number} */ fraction) => low + fraction * (high - low);
  const shade = control("alive-shade");
  const color =
    shade.type === "color"
      ? [1, 3, 5].map((start) => level(parseInt(shade.value.slice(start, start + 2), 16) / 255))
      : Array(board.drawing.shape[0]).fill(level(Number(shade.value) / 100));
  const erasing = control("alive-eraser").checked;
  board.brush = {
    diameter: Number(control("alive-size").value),
    color: erasing ? color.map(() => low) : color,
  };
}
