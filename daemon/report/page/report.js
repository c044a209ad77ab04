"use strict";
// Draws the figures of the page. Their colours are names, so that light and dark are the same figure.
(() => {
  const ROOM = 0.06; // of the height of the prices in sight, above and below them
  const NARROW = 520; // pixels: a phone, where fewer dates have room
  const root = document.documentElement;
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const darkWanted = window.matchMedia("(prefers-color-scheme: dark)");
  const touch = window.matchMedia("(pointer: coarse)");
  const charts = [...document.querySelectorAll(".chart")];
  const choice = document.getElementById("choice");
  const rangeButtons = [...document.querySelectorAll("[data-sessions]")];

  // "@name" is an array that several traces share, "$name" a colour of the page.
  function resolved(value, shared, style) {
    if (typeof value === "string") {
      if (value.startsWith("@")) return shared[value.slice(1)];
      if (value.startsWith("$")) return style.getPropertyValue(`--${value.slice(1)}`).trim();
      return value;
    }
    if (Array.isArray(value)) return value.map((one) => (one === Object(one) ? resolved(one, shared, style) : one));
    if (value === Object(value)) {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, resolved(one, shared, style)]));
    }
    return value;
  }

  function figureOf(chart) {
    return figures[chart.dataset.figure ?? `${chart.dataset.choices}-${choice.value}`];
  }

  async function draw(chart) {
    const { data, layout, shared } = figureOf(chart);
    const style = getComputedStyle(root);
    const shape = resolved(layout, shared, style);
    shape.font.family = getComputedStyle(document.body).fontFamily;
    shape.height = Number(chart.dataset.height);
    if (chart.clientWidth < NARROW) {
      Object.assign(shape.xaxis, { nticks: shape.xaxis.type === "category" ? 3 : 4, tickangle: 0 });
      Object.assign(shape.legend, { font: { size: 12 }, entrywidth: 0.48, entrywidthmode: "fraction" });
    }
    if (chart.dataset.choices) {
      shape.dragmode = touch.matches ? false : "pan"; // a finger scrolls the page
      showNewest(shape, shared);
    }
    await Plotly.react(chart, resolved(data, shared, style), shape, { displayModeBar: false, responsive: true });
    if (chart.dataset.choices && !chart.followed) {
      chart.followed = true;
      chart.on("plotly_relayout", (change) => follow(chart, change));
    }
  }

  function showNewest(shape, shared) {
    const wanted = Number(rangeButtons.find((button) => button.ariaPressed === "true").dataset.sessions);
    const from = wanted ? Math.max(shared.x.length - wanted, 0) : 0;
    shape.xaxis.range = [from - 0.5, shared.x.length - 0.5];
    shape.yaxis.range = pricesWithin(shared, from, shared.x.length);
  }

  function pricesWithin(shared, from, to) {
    const known = (prices) => prices.slice(from, to).filter((one) => one !== null);
    const low = known(shared.low).reduce((one, other) => Math.min(one, other), Infinity);
    const high = known(shared.high).reduce((one, other) => Math.max(one, other), -Infinity);
    const room = ROOM * (high - low || high);
    return low < Infinity ? [low - room, high + room] : undefined;
  }

  // After a drag along the sessions, the prices fill the height again.
  function follow(chart, change) {
    if (!("xaxis.range[0]" in change)) return;
    const { shared } = figureOf(chart);
    const ends = [change["xaxis.range[0]"], change["xaxis.range[1]"]].map((end) => Math.round(end));
    const range = pricesWithin(shared, Math.max(ends[0], 0), Math.min(ends[1] + 1, shared.x.length));
    if (range) Plotly.relayout(chart, { "yaxis.range": range });
  }

  const drawAll = () => Promise.all(charts.map(draw));
  const drawCandles = () => Promise.all(charts.filter((chart) => chart.dataset.choices).map(draw));

  for (const button of rangeButtons) {
    button.addEventListener("click", () => {
      for (const one of rangeButtons) one.ariaPressed = String(one === button);
      drawCandles();
    });
  }
  choice?.addEventListener("change", () => {
    for (const table of document.querySelectorAll("[data-choice]")) table.hidden = table.dataset.choice !== choice.value;
    drawCandles();
  });

  function remembered(theme) {
    try {
      if (theme) localStorage.setItem("theme", theme);
      return localStorage.getItem("theme");
    } catch {
      return theme ?? null; // a browser that keeps nothing for files
    }
  }

  function setTheme(theme) {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    return drawAll();
  }

  document.getElementById("theme").addEventListener("click", () => {
    const isDark = (root.dataset.theme ?? (darkWanted.matches ? "dark" : "light")) === "dark";
    setTheme(remembered(isDark ? "light" : "dark"));
  });
  darkWanted.addEventListener("change", drawAll);
  let before;
  window.addEventListener("beforeprint", () => {
    before = root.dataset.theme;
    setTheme("light"); // ink on paper
  });
  window.addEventListener("afterprint", () => setTheme(before));

  const theme = remembered();
  if (theme) root.dataset.theme = theme;
  drawAll().then(() => root.setAttribute("data-drawn", "yes"));
})();
