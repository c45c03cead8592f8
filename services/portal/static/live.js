// The changing part of the live page comes as server-sent events; the browser connects again by itself.
"use strict";

(() => {
  const part = document.getElementById("live");
  const lost = document.getElementById("live-lost");
  const source = new EventSource(part.dataset.stream);

  source.onmessage = (message) => {
    // What somebody scrolled or marked in a table stays where it is.
    const scrolled = Array.from(part.querySelectorAll(".scroller"), (each) => each.scrollLeft);
    const focused = Array.from(part.querySelectorAll(".scroller")).indexOf(document.activeElement);
    if (!document.getSelection().isCollapsed && part.contains(document.getSelection().anchorNode)) return;
    part.innerHTML = message.data;
    const scrollers = part.querySelectorAll(".scroller");
    scrollers.forEach((each, place) => { each.scrollLeft = scrolled[place] || 0; });
    if (focused >= 0 && scrollers[focused]) scrollers[focused].focus({ preventScroll: true });
    lost.hidden = true;
  };

  source.onerror = () => {
    lost.hidden = false;
    // Closed for good: the session has ended, or the page is gone. Loading it again says which.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
  };
})();
