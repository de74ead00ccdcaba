"use strict";

/** How long nothing must change before a screen reader is told, in milliseconds. */
const QUIET = 700;

/** Tells a screen reader the last of several sentences, when nothing has changed for a while. */
class Announcer {
  /** @param {HTMLElement} region - with aria-live="polite" */
  constructor(region) {
    this.region = region;
    this.timer = 0;
  }

  /** @param {string} sentence */
  say(sentence) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.region.textContent = sentence;
    }, QUIET);
  }
}
