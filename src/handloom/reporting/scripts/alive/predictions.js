"use strict";

/** The table of predictions: a bar and a number for each class. */
class PredictionTable {
  /**
   * @param {HTMLTableElement} table - a row for each class
   * @param {string[]} names - of the classes
   */
  constructor(table, names) {
    this.names = names;
    this.rows = [...table.tBodies[0].rows];
  }

  /**
   * Show probabilities, and mark those with all units on, if they are others.
   *
   * @param {number[]} probabilities
   * @param {number[]} [unchanged]
   * @returns {string} the most probable class, as a sentence
   */
  show(probabilities, unchanged) {
    const top = probabilities.indexOf(Math.max(...probabilities));
    this.rows.forEach((row, index) => {
      row.classList.toggle("alive-top", index === top);
      const [bar, mark] = /** @type {NodeListOf<HTMLElement>} */ (row.querySelectorAll(".alive-bar i"));
      bar.style.width = `${100 * probabilities[index]}%`;
      mark.hidden = !unchanged;
      if (unchanged) mark.style.left = `${100 * unchanged[index]}%`;
      row.cells[2].textContent = percentOf(probabilities[index]);
    });
    return top < 0 ? "no finite prediction" : `${this.names[top]}, ${percentOf(probabilities[top])}`;
  }
}

/**
 * Return a probability as text.
 *
 * @param {number} probability
 * @returns {string}
 */
function percentOf(probability) {
  return Number.isFinite(probability) ? `${(100 * probability).toFixed(1)} %` : "not finite";
}

/**
 * Return the probability of each class. A single output is that of the second of two classes.
 *
 * @param {Float32Array} prediction
 * @returns {number[]}
 */
function probabilitiesOf(prediction) {
  return prediction.length === 1 ? [1 - prediction[0], prediction[0]] : Array.from(prediction);
}
