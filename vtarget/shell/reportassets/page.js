"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const places = [...document.querySelectorAll("[data-figure]")];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 40rem)");
  const config = { responsive: true, displayModeBar: false, scrollZoom: false };

  function colors() {
    const style = getComputedStyle(document.documentElement);
    return { ink: style.getPropertyValue("--ink").trim(), rule: style.getPropertyValue("--rule").trim(),
      panel: style.getPropertyValue("--panel").trim() };
  }

  function themed(layout) {
    const c = colors();
    const axis = { gridcolor: c.rule, zerolinecolor: c.rule, linecolor: c.rule };
    const whole = { ...layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: c.ink, size: narrow.matches ? 11 : 13 },
      hoverlabel: { bgcolor: c.panel, bordercolor: c.rule, font: { color: c.ink }, align: "left" },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", traceorder: "normal", font: { color: c.ink } },
      uniformtext: { minsize: 9, mode: "hide" } };
    for (const name of ["xaxis", "yaxis"]) if (layout[name]) whole[name] = { ...layout[name], ...axis };
    return whole;
  }

  function ready() {
    if (performance.getEntriesByName("ready").length === 0) performance.mark("ready");
  }

  // From top to bottom; what isn't in sight waits until the browser has nothing better to do.
  async function draw() {
    const idle = window.requestIdleCallback ?? setTimeout;
    for (const place of places) {
      if (place.getBoundingClientRect().top > innerHeight) {
        ready();
        await new Promise((next) => idle(next));
      }
      const figure = figures[Number(place.dataset.figure)];
      await Plotly.newPlot(place, figure.data, themed(figure.layout), config);
      for (const child of place.children) child.setAttribute("aria-hidden", "true");  // its label says it
      place.dataset.drawn = "yes";
    }
    for (const ruler of document.querySelectorAll("body > svg")) ruler.setAttribute("aria-hidden", "true");
    ready();
    document.documentElement.dataset.drawn = String(places.length);
  }

  function restyle() {
    for (const place of places) if (place.dataset.drawn) {
      Plotly.react(place, figures[Number(place.dataset.figure)].data,
        themed(figures[Number(place.dataset.figure)].layout), config);
    }
  }

  function value(row, column) {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? null : Number(cell.dataset.v);
  }

  function sort(button) {
    const head = button.closest("th");
    const table = head.closest("table");
    const column = Number(button.dataset.sort);
    const numeric = head.classList.contains("n");
    const up = head.ariaSort ? head.ariaSort !== "ascending" : !numeric;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      if (!numeric) return (up ? 1 : -1) * a.cells[column].textContent.localeCompare(b.cells[column].textContent);
      const x = value(a, column), y = value(b, column);
      if (x === null || y === null) return (x === null) - (y === null);
      return up ? x - y : y - x;
    });
    table.tBodies[0].append(...rows);
  }

  function filter(input) {
    const wanted = input.value.toLowerCase();
    let shown = 0;
    for (const row of document.getElementById(input.dataset.filters).tBodies[0].rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      shown += !row.hidden;
    }
    document.getElementById("status").textContent = `${shown} rows shown`;
  }

  for (const button of document.querySelectorAll("[data-sort]")) button.addEventListener("click", () => sort(button));
  for (const input of document.querySelectorAll("[data-filters]")) input.addEventListener("input", () => filter(input));
  dark.addEventListener("change", restyle);
  draw();
})();
