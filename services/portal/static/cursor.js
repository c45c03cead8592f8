// A cursor over each chart by mouse, touch and arrow keys. The values it says are those of the table on the same page.
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const rows = Array.from(document.querySelectorAll("#readings tbody tr"));

  // One step is a slot; a page is an hour of quarters, six hours, or a week of days.
  const page = rows.length > 31 ? 4 : rows.length > 7 ? 7 : 1;

  const said = (row, chart) => {
    const cells = row.querySelectorAll(`td[data-chart="${chart}"]`);
    const values = Array.from(cells, (cell) => cell.dataset.spoken);
    return `${row.dataset.label} · ${values.join(" · ")}`;
  };

  const bandIn = (drawing) => {
    const band = document.createElementNS(SVG, "rect");
    band.setAttribute("class", "band");
    drawing.append(band);
    return band;
  };

  const place = (drawing, band, index) => {
    const { left, top, width, height } = drawing.dataset;
    const step = Number(width) / rows.length;
    const wide = Math.max(step, 3);
    band.setAttribute("x", Number(left) + step * index - (wide - step) / 2);
    band.setAttribute("y", top);
    band.setAttribute("width", wide);
    band.setAttribute("height", height);
  };

  const indexAt = (drawing, event) => {
    const matrix = drawing.getScreenCTM();
    if (!matrix) return null;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    const part = (at.x - Number(drawing.dataset.left)) / Number(drawing.dataset.width);
    return Math.min(rows.length - 1, Math.max(0, Math.floor(part * rows.length)));
  };

  const attach = (plot) => {
    const readout = plot.parentElement.querySelector(".readout");
    const drawings = Array.from(plot.querySelectorAll("svg"));
    const bands = drawings.map(bandIn);
    let current = null;

    const show = (index) => {
      if (index === current || index === null) return;
      if (current !== null) rows[current].classList.remove("current");
      current = index;
      drawings.forEach((drawing, i) => place(drawing, bands[i], index));
      plot.classList.add("pointed");
      rows[index].classList.add("current");
      readout.textContent = said(rows[index], plot.dataset.cursor);
    };

    const hide = () => {
      if (current !== null) rows[current].classList.remove("current");
      current = null;
      plot.classList.remove("pointed");
    };

    const point = (event) => {
      const drawing = drawings.find((each) => each.getBoundingClientRect().width > 0);
      if (drawing) show(indexAt(drawing, event));
    };

    const last = rows.length - 1;
    const keys = {
      ArrowLeft: () => (current === null ? last : Math.max(0, current - 1)),
      ArrowRight: () => (current === null ? 0 : Math.min(last, current + 1)),
      PageUp: () => Math.max(0, (current ?? 0) - page),
      PageDown: () => Math.min(last, (current ?? 0) + page),
      Home: () => 0,
      End: () => last,
    };

    plot.tabIndex = 0;
    plot.setAttribute("role", "application");
    plot.setAttribute("aria-label", plot.dataset.label);
    readout.hidden = false;
    plot.addEventListener("pointermove", point);
    plot.addEventListener("pointerdown", point);
    plot.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && document.activeElement !== plot && hide());
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === "Escape") return hide();
      const next = keys[event.key];
      if (!next) return;
      event.preventDefault();
      show(next());
    });
  };

  if (rows.length) document.querySelectorAll("[data-cursor]").forEach(attach);
})();
