"use strict";
// The first script of a page: data of the sections, and elements of SVG. Sections are complete
// without scripts; scripts only add to them.

/**
 * Return the data of a section, which Python wrote as JSON, or null.
 * @param {string} section
 * @returns {any}
 */
function sectionData(section) {
  const source = document.getElementById(`data-${section}`);
  return source === null ? null : JSON.parse(source.textContent ?? "null");
}

/**
 * Return a new element of SVG.
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 * @returns {SVGElement}
 */
function svgElement(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

/**
 * Return a new button.
 * @param {string} text
 * @param {() => void} press
 * @returns {HTMLButtonElement}
 */
function newButton(text, press) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", press);
  return button;
}

/**
 * Set whether a button does anything. It can be focused in any case, so that focus is never lost.
 *
 * @param {Element | null} button
 * @param {boolean} enabled
 */
function enable(button, enabled) {
  button?.setAttribute("aria-disabled", String(!enabled));
}

/** Whether the page is used by fingers, rather than by a mouse and a keyboard. */
const byFinger = matchMedia("(pointer: coarse)").matches;

/**
 * Return the size of the page's text relative to the usual one; drawings grow with it.
 * @returns {number}
 */
function textEnlargement() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
}

/**
 * Return a number as people read it.
 * @param {number} value
 * @returns {string}
 */
function readable(value) {
  if (!Number.isFinite(value)) return "not finite";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}
