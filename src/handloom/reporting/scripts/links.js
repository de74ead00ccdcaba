// Links to parts of the page. They open what is only shown when it is the target, as the browser's
// Back does. In a frame without an address of its own, as in a notebook, a browser would follow them
// out of the page; here they scroll.

document.documentElement.classList.add("scripted");

/**
 * Open the target of a link, and close the one before it.
 * @param {string} id
 * @returns {HTMLElement | null}
 */
function openTarget(id) {
  const target = document.getElementById(id);
  for (const other of document.querySelectorAll(".opened")) other.classList.remove("opened");
  target?.classList.add("opened");
  return target;
}

/** The hash of a link that was opened by a click, until the browser tells of the new address. */
let followed = "";

document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
  const hash = link?.getAttribute("href") ?? "#";
  const target = link && openTarget(hash.slice(1));
  if (target && location.hash !== hash) followed = hash;
  if (!target || document.URL !== "about:srcdoc") return;
  event.preventDefault();
  target.scrollIntoView();
  target.focus({ preventScroll: true });
});
window.addEventListener("hashchange", () => {
  if (location.hash !== followed) openTarget(location.hash.slice(1));
  followed = "";
});
openTarget(location.hash.slice(1));
