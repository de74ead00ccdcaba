// One tab stop for many elements: arrow keys, Home and End move among them, as in any grid.

/**
 * Make rows of elements one tab stop.
 * @param {Element} container
 * @param {(HTMLElement | null)[][]} rows - null where there is nothing to focus
 */
function rove(container, rows) {
  const all = rows.flat().filter((each) => each !== null);
  const stop = (/** @type {HTMLElement | undefined} */ chosen) => {
    for (const each of all) each.tabIndex = each === chosen ? 0 : -1;
  };
  stop(all[0]);
  container.addEventListener("focusin", (event) => {
    const focused = all.find((each) => each === event.target);
    if (focused) stop(focused);
  });
  container.addEventListener("keydown", (event) => {
    if (!(event instanceof KeyboardEvent) || event.ctrlKey || event.metaKey || event.altKey) return;
    const next = nextOf(rows, event);
    if (next === undefined) return;
    event.preventDefault();
    next?.focus();
  });
}

/**
 * Return the element that a key leads to; null if there is none, undefined for another key.
 * @param {(HTMLElement | null)[][]} rows
 * @param {KeyboardEvent} event
 * @returns {HTMLElement | null | undefined}
 */
function nextOf(rows, event) {
  /** @type {Record<string, [number, number]>} */
  const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  let down = rows.findIndex((row) => row.some((each) => each !== null && each === event.target));
  if (down < 0) return undefined;
  const filled = rows[down].filter((each) => each !== null);
  if (event.key === "Home") return filled[0];
  if (event.key === "End") return filled[filled.length - 1];
  const move = moves[event.key];
  if (!move) return undefined;
  let across = rows[down].findIndex((each) => each === event.target);
  do {
    down += move[0];
    across += move[1];
  } while (rows[down]?.[across] === null);
  return rows[down]?.[across] ?? null;
}
