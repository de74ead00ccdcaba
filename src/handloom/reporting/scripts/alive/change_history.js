"use strict";

/** The most changes that can be undone. */
const UNDO_STEPS = 100;

/**
 * Whole states before and after the present one, to undo and redo.
 *
 * @template State
 */
class ChangeHistory {
  /**
   * @param {() => State} read - returns the present state, a copy
   * @param {(state: State, change: string) => void} write - makes a state the present one
   */
  constructor(read, write) {
    this.read = read;
    this.write = write;
    /** @type {State[]} */
    this.earlier = [];
    /** @type {State[]} */
    this.later = [];
  }

  /** Keep the present state; call it before a change. */
  remember() {
    this.earlier.push(this.read());
    if (this.earlier.length > UNDO_STEPS) this.earlier.shift();
    this.later = [];
  }

  undo() {
    this.exchange(this.earlier, this.later, "Undone. ");
  }

  redo() {
    this.exchange(this.later, this.earlier, "Done again. ");
  }

  /**
   * @param {State[]} from
   * @param {State[]} to
   * @param {string} change
   */
  exchange(from, to, change) {
    const state = from.pop();
    if (state === undefined) return;
    to.push(this.read());
    this.write(state, change);
  }
}
