const specs = JSON.parse(document.getElementById("charts").textContent);
const views = new Map();
const dark = window.matchMedia("(prefers-color-scheme: dark)");

/** The colours of the page, for its charts. */
function colours() {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim();
  const soft = style.getPropertyValue("--soft").trim();
  const line = style.getPropertyValue("--line").trim();
  return {
    background: "transparent",
    font: "system-ui, sans-serif",
    view: { stroke: line },
    axis: { labelColor: soft, titleColor: ink, gridColor: line, domainColor: line, tickColor: line, titleFontWeight: 500 },
    legend: { labelColor: ink, titleColor: ink, orient: "bottom", symbolOpacity: 1, symbolStrokeWidth: 2 },
    range: { category: dark.matches
      ? ["#8ab4f8", "#f6ad55", "#f28b82", "#81c995", "#d7aefb", "#78d9ec", "#fdd663", "#ff8bcb", "#c58af9", "#a8dab5"]
      : ["#2458a6", "#d9822b", "#c5372c", "#2e7d4f", "#7e57c2", "#0f8aa3", "#b08800", "#c2467d", "#5d4a99", "#5b8c2a"] },
    rule: { color: soft },
  };
}

/** Rows of a raster from its short form; see raster_chart. */
function unpacked(spec) {
  if (!spec.usermeta || !spec.usermeta.rasters) return spec;
  const values = [];
  for (const [layer, neurons, spikes] of spec.usermeta.rasters) {
    for (let i = 0; i < spikes.length; i += 3) {
      const neuron = neurons[spikes[i + 1]];
      values.push({ step: spikes[i], row: layer + "\t" + neuron, layer, neuron, size: spikes[i + 2], strength: Math.abs(spikes[i + 2]) });
    }
  }
  return { ...spec, data: { values } };
}

async function draw(place) {
  const spec = specs[place.dataset.chart];
  if (!spec || !place.clientWidth) return;
  const old = views.get(place);
  if (old) old.finalize();
  views.set(place, await vegaEmbed(place, {
    ...unpacked(spec),
    width: "container",
    autosize: { type: "fit-x", contains: "padding" },
    config: colours(),
  }, { mode: "vega-lite", ast: true, actions: false, defaultStyle: false, renderer: "canvas", tooltip: { disableDefaultStyle: true } }));
}

// a chart is drawn when it comes into view, so that a page opens at once however many it has
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting && !views.has(entry.target)) {
      views.set(entry.target, null);
      draw(entry.target);
    }
  }
}, { rootMargin: "200px" });
for (const place of document.querySelectorAll(".chart")) watcher.observe(place);
dark.addEventListener("change", () => { for (const [place, view] of views) if (view) draw(place); });

const boxes = [...document.querySelectorAll(".drawing a")];
let walked = -1;

/** Show the node of a box. */
function choose(index, look) {
  if (index < 0 || index >= boxes.length) return;
  walked = index;
  const anchor = boxes[index].getAttribute("href").slice(1);
  for (const each of document.querySelectorAll(".drawing a.chosen, .details.chosen")) each.classList.remove("chosen");
  boxes[index].classList.add("chosen");
  document.getElementById(anchor).classList.add("chosen");
  if (look) boxes[index].scrollIntoView({ block: "nearest", behavior: "instant" });
}

function follow(event) {
  const link = event.target.closest("a[href^='#node-']");
  if (!link) return;
  event.preventDefault();
  choose(boxes.findIndex((box) => box.getAttribute("href") === link.getAttribute("href")), true);
  if (!link.closest(".walk")) document.getElementById("network").scrollIntoView();
}
document.addEventListener("click", follow);
const drawing = document.querySelector(".drawing");
if (drawing) {
  drawing.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    choose(walked + step, true);
  });
  const first = boxes.findIndex((box) => box.querySelector(".spikes"));
  choose(location.hash.startsWith("#node-") ? boxes.findIndex((box) => box.getAttribute("href") === location.hash) : Math.max(first, 0), false);
}

const buttons = [...document.querySelectorAll(".choose button")];
function show(button) {
  for (const each of buttons) {
    each.setAttribute("aria-pressed", String(each === button));
    document.getElementById(each.dataset.sample).hidden = each !== button;
  }
}
for (const button of buttons) button.addEventListener("click", () => show(button));
if (buttons.length) show(buttons[0]);
document.documentElement.dataset.ready = "yes";
