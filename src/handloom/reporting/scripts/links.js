// Links to parts of the page. In a frame without an address of its own, as in a notebook, a browser
// would follow them out of the page; here they scroll, and open what is only shown when it is the
// target.

document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
  const target = link && document.getElementById((link.getAttribute("href") ?? "#").slice(1));
  if (!target) return;
  for (const other of document.querySelectorAll(".opened")) other.classList.remove("opened");
  target.classList.add("opened");
  if (document.URL !== "about:srcdoc") return;
  event.preventDefault();
  target.scrollIntoView();
  target.focus({ preventScroll: true });
});
