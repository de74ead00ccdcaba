// The confusion matrix: arrow keys move between its cells, as in any grid.

for (const matrix of document.querySelectorAll("table.matrix")) {
  matrix.addEventListener("keydown", (event) => {
    if (!(event instanceof KeyboardEvent) || !(event.target instanceof Element)) return;
    /** @type {Record<string, [number, number]>} */
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const move = moves[event.key];
    const cell = event.target.closest("td");
    if (!move || !cell) return;
    const rows = [...matrix.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("td")]);
    let down = rows.findIndex((row) => row.includes(cell));
    let across = rows[down].indexOf(cell);
    do {
      down += move[0];
      across += move[1];
      const link = rows[down]?.[across]?.querySelector("a");
      if (link) {
        link.focus();
        event.preventDefault();
        return;
      }
    } while (rows[down]?.[across]);
  });
}
