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
    this.verdict = table.querySelector(".prediction-verdict");
  }

  /**
   * Show probabilities, and mark those with all units on, if they are others.
   *
   * @param {number[]} probabilities
   * @param {boolean} empty - whether nothing is drawn, so that no class is named
   * @param {Set<number>} excluded - the classes whose output unit is switched off
   * @param {number[]} [unchanged]
   * @returns {string} the most probable class, as a sentence
   */
  show(probabilities, empty, excluded, unchanged) {
    const top = empty ? -1 : probabilities.indexOf(Math.max(...probabilities));
    this.rows.forEach((row, index) => {
      row.classList.toggle("prediction-top", index === top);
      const [bar, mark] = /** @type {NodeListOf<HTMLElement>} */ (row.querySelectorAll(".prediction-bar i"));
      bar.style.width = `${empty ? 0 : 100 * (probabilities[index] || 0)}%`;
      mark.hidden = empty || !unchanged;
      if (unchanged) mark.style.left = `${100 * unchanged[index]}%`;
      const value = empty ? "" : percentOf(probabilities[index]);
      row.cells[2].textContent = excluded.has(index) ? "excluded" : value;
    });
    const sentence = this.sentence(probabilities, top, empty, excluded);
    this.showVerdict(sentence);
    return sentence;
  }

  /**
   * Show a sentence, whose percentage is not torn apart.
   *
   * @param {string} sentence
   */
  showVerdict(sentence) {
    const [, text, share] = /^(.*?)([\d.]+ %)?$/s.exec(sentence) ?? [];
    const whole = document.createElement("span");
    whole.className = "prediction-share";
    whole.textContent = share ?? "";
    this.verdict?.replaceChildren(text ?? "", whole);
  }

  /**
   * @param {number[]} probabilities
   * @param {number} top
   * @param {boolean} empty
   * @param {Set<number>} excluded
   * @returns {string}
   */
  sentence(probabilities, top, empty, excluded) {
    if (excluded.size === this.names.length) return "every class is excluded";
    if (empty) return "nothing drawn";
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
