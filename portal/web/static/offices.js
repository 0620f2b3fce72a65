/* Draws the weeks of an office's areas; the table below the chart says the same to whoever sees no chart. */
"use strict";
(function () {
  const element = document.querySelector("[data-weeks]");
  if (!element) return;
  const COLOURS = ["#0067a5", "#c04f00", "#00755b", "#a03a7a", "#6b5b00", "#4b4ba0", "#8a2f2f", "#3f6d78"];
  const SYMBOLS = ["circle", "rect", "triangle", "diamond", "pin", "arrow", "roundRect", "circle"];
  let chart = null;

  function draw(told) {
    chart = chart || echarts.init(element, null, { renderer: "canvas" });
    chart.setOption({
      animation: false,
      grid: { left: 52, right: 14, top: 14, bottom: 30 },
      xAxis: { type: "category", data: told.weeks, axisLabel: { hideOverlap: true, color: "#4d5b68" } },
      yAxis: { type: "value", minInterval: 1, axisLabel: { color: "#4d5b68" } },
      series: told.lines.map((one, number) => ({
        name: told.names[number], type: "line", symbol: SYMBOLS[number % 8], symbolSize: 8, data: one.weeks,
        lineStyle: { color: COLOURS[number % 8], width: 3 }, itemStyle: { color: COLOURS[number % 8] },
      })),
    });
    const legend = document.querySelector("[data-legend]");
    legend.replaceChildren(...told.names.map((name, number) => {
      const entry = document.createElement("span");
      entry.className = `key line-${number % 8}`;
      entry.textContent = name;
      return entry;
    }));
  }

  addEventListener("resize", () => chart && chart.resize());
  fetch(element.dataset.weeks, { headers: { accept: "application/json" } })
    .then((answer) => (answer.ok ? answer.json() : null))
    .then((told) => told && draw(told))
    .catch(() => {}); // the table is there
})();
