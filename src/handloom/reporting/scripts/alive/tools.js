"use strict";

/**
 * Connect the buttons and sliders beside the board, and the test images, with it.
 *
 * @param {HTMLElement} stage
 * @param {Board} board
 * @param {Float32Array[]} images
 * @param {ChangeHistory<any>} changes
 */
function connectTools(stage, board, images, changes) {
  const actions = /** @type {Record<string, () => void>} */ ({
    clear: () => board.clear(),
    undo: () => changes.undo(),
    redo: () => changes.redo(),
    "turn-left": () => board.turn(-15),
    "turn-right": () => board.turn(15),
  });
  for (const name of Object.keys(MOVES)) actions[name] = () => board.move(name);
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (stage.querySelectorAll("[data-action]"))) {
    button.addEventListener("click", actions[button.dataset.action ?? ""]);
  }
  const choices = imageButtons(stage);
  choices.forEach((button, image) => {
    button.addEventListener("click", () => {
      board.beforeChange();
      const origin = { image, changed: false, cut: false };
      board.restore({ pixels: images[image], origin, turned: null }, "");
    });
  });
  rove(stage, [choices]);
  for (const input of stage.querySelectorAll("input")) {
    input.addEventListener("input", () => chooseBrush(stage, board));
  }
  chooseBrush(stage, board);
  offerFinger(stage, board);
  stage.addEventListener("keydown", (event) => undoByKey(event, changes));
}

/**
 * Offer to paint by finger, on a screen that can be touched.
 *
 * @param {HTMLElement} stage
 * @param {Board} board
 */
function offerFinger(stage, board) {
  const button = /** @type {HTMLElement} */ (stage.querySelector("#alive-finger"));
  button.hidden = !navigator.maxTouchPoints;
  button.addEventListener("click", () => {
    board.paintByFinger(!board.byFinger);
    button.setAttribute("aria-pressed", String(board.byFinger));
  });
}

/**
 * Undo or redo by the usual keys, wherever in the section the focus is.
 *
 * @param {KeyboardEvent} event
 * @param {ChangeHistory<any>} changes
 */
function undoByKey(event, changes) {
  if (!event.ctrlKey && !event.metaKey) return;
  const key = event.key.toLowerCase();
  if (key === "y" || (key === "z" && event.shiftKey)) changes.redo();
  else if (key === "z") changes.undo();
  else return;
  event.preventDefault();
}

/**
 * Return the buttons of the images that the reader can start from.
 *
 * @param {HTMLElement} stage
 * @returns {HTMLElement[]}
 */
function imageButtons(stage) {
  return [.../** @type {NodeListOf<HTMLElement>} */ (stage.querySelectorAll("[data-image]"))];
}

/**
 * Mark the image that the reader started from, and say which one it is and what became of it.
 *
 * @param {HTMLElement} stage
 * @param {BoardState} state
 */
function showOrigin(stage, { origin, turned }) {
  let name = "A drawing of your own";
  imageButtons(stage).forEach((button, image) => {
    const chosen = image === origin.image;
    button.setAttribute("aria-pressed", String(chosen));
    if (chosen) name = button.getAttribute("aria-label") ?? button.textContent ?? "";
  });
  const parts = [name];
  if (origin.changed && origin.image !== null) parts.push("changed");
  if (turned?.degrees) parts.push(`turned ${angleText(turned.degrees)}`);
  if (origin.cut) parts.push("a part of it left the frame");
  const start = stage.querySelector("#alive-start");
  if (start) start.textContent = parts.join("; ");
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
