// The confusion matrix: one tab stop, and the images of a cell with a button that closes them.

for (const matrix of document.querySelectorAll("table.matrix")) {
  const rows = [...matrix.querySelectorAll("tbody tr")].map((row) =>
    [...row.querySelectorAll("td")].map((cell) => cell.querySelector("a")),
  );
  if (!rows.flat().some((link) => link !== null)) continue;
  rove(matrix, rows);
  if (byFinger) continue;
  const hint = document.createElement("span");
  hint.className = "on-screen";
  hint.textContent = " Arrow keys move among the cells, Enter opens one, Escape closes it.";
  (matrix.querySelector("caption > span") ?? matrix.querySelector("caption"))?.append(hint);
}

for (const panel of document.querySelectorAll(".cell-images")) {
  const close = () => {
    panel.classList.remove("opened");
    if (location.hash === `#${panel.id}`) history.replaceState(null, "", document.URL.split("#")[0]);
    /** @type {HTMLElement | null} */ (document.querySelector(`a[href="#${panel.id}"]`))?.focus();
  };
  const button = newButton("Close", close);
  button.className = "close";
  panel.prepend(button);
  panel.addEventListener("keydown", (event) => {
    if (event instanceof KeyboardEvent && event.key === "Escape") close();
  });
}
