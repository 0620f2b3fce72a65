/* Draws a facility's hours and days, and keeps its figures fresh while somebody is there to see them. */
"use strict";
(function () {
  const EVERY_MS = 15000, QUIET_MS = 10 * 60000; // nobody touches anything for so long: it stops asking, the session may end
  const source = document.querySelector("[data-figures]");
  const charts = new Map();
  let touched = Date.now();

  function draw(element, slots) {
    const words = element.dataset;
    if (!charts.has(element)) charts.set(element, echarts.init(element, null, { renderer: "canvas" }));
    const bar = (name, key, color) => ({ name, type: "bar", data: slots.map((slot) => slot[key]), itemStyle: { color } });
    charts.get(element).setOption({
      animation: false,
      grid: { left: 44, right: 12, top: 16, bottom: 30 },
      xAxis: { type: "category", data: slots.map((slot) => slot.label), axisLabel: { hideOverlap: true, color: "#4d5b68" } },
      yAxis: { type: "value", minInterval: 1, axisLabel: { color: "#4d5b68" } },
      series: [
        bar(words.arrivals, "arrivals", "#0a4e8a"),
        bar(words.departures, "departures", "#d9622b"),
        { name: words.visitors, type: "line", symbolSize: 5, data: slots.map((slot) => slot.visitors),
          lineStyle: { color: "#1b6b3a", width: 3 }, itemStyle: { color: "#1b6b3a" } },
      ],
    });
  }

  function put(name, value) {
    for (const element of document.querySelectorAll(`[data-live="${name}"]`)) element.textContent = value;
  }

  function show(figures) {
    for (const element of document.querySelectorAll("[data-chart]")) draw(element, figures[element.dataset.chart]);
    const today = figures.days[figures.days.length - 1];
    put("inside", figures.inside);
    put("full", figures.full);
    put("at", figures.at);
    put("waiting", figures.waiting);
    for (const name of ["arrivals", "departures", "manual", "flagged"]) put(name, today[name]);
    const meter = document.querySelector('[data-live="meter"]');
    if (meter) meter.value = figures.inside;
  }

  async function ask() {
    const answer = await fetch(source.dataset.figures, { headers: { accept: "application/json" } });
    if (answer.ok) show(await answer.json());
  }

  for (const event of ["pointerdown", "keydown", "scroll"]) addEventListener(event, () => { touched = Date.now(); }, { passive: true });
  addEventListener("resize", () => charts.forEach((chart) => chart.resize()));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask().catch(() => {}); });
  setInterval(() => {
    if (!document.hidden && Date.now() - touched < QUIET_MS) ask().catch(() => {}); // the next one may succeed
  }, EVERY_MS);
  ask().catch(() => {});
})();
