// The page of a map: pointer, keyboard, views and table. Runs last.

const stage = byId("stage");
const pointers = new Map(); // those that are down, by id
const still = 4; // pixels a pointer may move in a click
let press = null; // where the first pointer went down
let lasso = false;

function position(event) {
  const box = byId("canvas").getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function setLasso(on) {
  lasso = on;
  byId("lasso").setAttribute("aria-pressed", on);
  stage.classList.toggle("lasso", on);
}

function release() {
  press = null;
  canvas.polygon = null;
  stage.classList.remove("dragging");
  canvas.draw();
}

byId("canvas").addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  byId("canvas").setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, position(event));
  hideTip();
  if (pointers.size > 1) { // two fingers zoom
    release();
    return;
  }
  const [x, y] = position(event);
  press = { x, y, lasso: lasso || event.shiftKey, moved: false };
});

byId("canvas").addEventListener("pointermove", (event) => {
  const [x, y] = position(event);
  if (!pointers.has(event.pointerId)) {
    if (event.pointerType !== "mouse") return;
    const found = canvas.find(x, y);
    stage.classList.toggle("over", found !== null);
    if (found === null || found === canvas.picked) hideTip();
    else showTip(found, x, y);
    return;
  }
  const before = pointers.get(event.pointerId);
  pointers.set(event.pointerId, [x, y]);
  if (pointers.size === 2) {
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    const away = (at) => Math.hypot(at[0] - other[0], at[1] - other[1]);
    canvas.pan((x - before[0]) / 2, (y - before[1]) / 2);
    canvas.zoom(away([x, y]) / Math.max(away(before), 1), (x + other[0]) / 2, (y + other[1]) / 2);
  } else if (press) {
    press.moved ||= Math.hypot(x - press.x, y - press.y) > still;
    if (!press.moved) return;
    if (press.lasso) {
      canvas.polygon ??= [[press.x, press.y]];
      canvas.polygon.push([x, y]);
      canvas.draw();
    } else {
      stage.classList.add("dragging");
      canvas.pan(x - before[0], y - before[1]);
    }
  }
});

byId("canvas").addEventListener("pointerup", (event) => {
  if (!pointers.delete(event.pointerId) || !press) return;
  const { x, y, moved } = press;
  if (canvas.polygon) select(canvas.enclosed());
  else if (!moved) {
    pick(canvas.find(x, y));
    if (canvas.picked !== null) keepInSight(canvas.picked);
  }
  release();
});

byId("canvas").addEventListener("pointercancel", (event) => {
  pointers.delete(event.pointerId);
  release();
});

byId("canvas").addEventListener("pointerleave", hideTip);

byId("canvas").addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    hideTip();
    const pixels = event.deltaY * (event.deltaMode ? 30 : 1); // lines or pixels
    const speed = event.ctrlKey ? 0.01 : 0.002; // with Ctrl: a pinch on a touchpad
    canvas.zoom(Math.exp(-Math.max(-250, Math.min(250, pixels)) * speed), ...position(event));
  },
  { passive: false },
);

byId("canvas").addEventListener("dblclick", (event) => {
  if (canvas.find(...position(event)) === null) canvas.zoom(2, ...position(event), true);
});

// Keyboard

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

byId("canvas").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key !== "Escape") hideTip();
  const arrow = ARROWS[event.key];
  if (arrow && canvas.picked === null) canvas.pan(-80 * arrow[0], -80 * arrow[1]);
  else if (arrow) {
    const next = canvas.nearest(...canvas.place(canvas.picked), ...arrow, canvas.picked);
    if (next !== null) {
      pick(next);
      keepInSight(next);
    }
  } else if (event.key === "+" || event.key === "=") canvas.zoom(1.4, undefined, undefined, true);
  else if (event.key === "-" || event.key === "_") canvas.zoom(1 / 1.4, undefined, undefined, true);
  else if (event.key === "0") canvas.move(canvas.fit(), 400);
  else if (event.key === "Enter") {
    if (canvas.picked === null) pick(canvas.nearest(canvas.width / 2, canvas.height / 2));
    else byId("details").querySelector("h2").focus();
  } else if (event.key === " " && canvas.picked !== null) toggle(canvas.picked);
  else return;
  event.preventDefault();
});

function keepInSight(i) {
  const [x, y] = canvas.place(i);
  const { right = 0, bottom = 0 } = covered();
  const margin = 40;
  const inside =
    x > margin && y > margin && x < canvas.width - right - margin && y < canvas.height - bottom - margin;
  if (!inside) canvas.show(i, { right, bottom, nearer: false });
}

document.addEventListener("keydown", (event) => {
  // In a search field, Escape clears the text first.
  if (event.key !== "Escape" || (event.target.type === "search" && event.target.value)) return;
  if (!byId("tip").hidden) hideTip();
  else if (canvas.polygon) release();
  else if (byId("filters").classList.contains("open")) showFilters(false);
  else if (canvas.picked !== null) pick(null);
  else if (lasso) setLasso(false);
  else if (selected.size) select([]);
});

// Views

function setView(name) {
  view = name;
  document.body.dataset.view = name;
  for (const button of document.querySelectorAll("[data-view]")) {
    if (button !== document.body) button.setAttribute("aria-pressed", button.dataset.view === name);
  }
  stage.hidden = name === "table";
  byId("table").hidden = name !== "table";
  hideTip();
  if (name === "table") fillTable();
  else {
    canvas.resize();
    const blend = name === "grid" ? 1 : 0;
    if (blend !== canvas.blend) canvas.move({ blend, ...canvas.fit(blend) }, 900);
  }
}

for (const button of document.querySelectorAll(".switch button")) {
  button.addEventListener("click", () => setView(button.dataset.view));
}

function fillTable() {
  const rows = shownOnes();
  const last = Math.max(0, Math.ceil(rows.length / PER_PAGE) - 1);
  const start = page * PER_PAGE;
  const names = ["file", ...facets.map((facet) => facet.name)];
  const body = element("tbody");
  for (const i of rows.slice(start, start + PER_PAGE)) {
    const button = element("button", { type: "button" }, element("bdi", {}, data.name[i]));
    button.addEventListener("click", () => pick(i, { focus: true }));
    button.dataset.painting = i;
    const row = element("tr", {}, element("th", { scope: "row" }, button));
    const known = new Map(facts(i));
    for (const name of names) {
      const cell = element("td", { className: name === "file" ? "file" : "" }, element("bdi", {}, known.get(name) ?? "–"));
      if (name === "result") cell.firstChild.className = known.get(name) ?? "";
      cell.dataset.name = name;
      row.append(cell);
    }
    body.append(row);
  }
  const head = element("tr", {}, ...["painting", ...names].map((name) => element("th", { scope: "col" }, name)));
  const turn = (text, to) => {
    const button = element("button", { type: "button", disabled: to < 0 || to > last }, text);
    button.addEventListener("click", () => {
      page = to;
      fillTable();
      byId("table").scrollTop = 0;
      const [back, on] = byId("table").querySelectorAll(".pages button");
      (text === "Next" ? (on.disabled ? back : on) : back.disabled ? on : back).focus();
    });
    return button;
  };
  const format = (number) => number.toLocaleString("en");
  const range = rows.length
    ? `${format(start + 1)}–${format(Math.min(start + PER_PAGE, rows.length))} of ${format(rows.length)}`
    : "No painting fits.";
  byId("table").replaceChildren(
    element("table", {}, element("thead", {}, head), body),
    element("div", { className: "pages" }, turn("Back", page - 1), element("span", {}, range), turn("Next", page + 1)),
  );
}

// Header and controls

byId("search").addEventListener("input", () => {
  query = byId("search").value;
  update();
});
byId("search").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || view === "table") return;
  const [first] = shownOnes();
  if (first === undefined) return;
  pick(first);
  canvas.show(first, covered());
});

function showFilters(open) {
  byId("filters").classList.toggle("open", open);
  byId("open-filters").setAttribute("aria-expanded", open);
  (open ? byId("close-filters") : byId("open-filters")).focus();
}

byId("open-filters").addEventListener("click", () => showFilters(!byId("filters").classList.contains("open")));
byId("lasso").addEventListener("click", () => setLasso(!lasso));
byId("zoom-in").addEventListener("click", () => canvas.zoom(1.6, undefined, undefined, true));
byId("zoom-out").addEventListener("click", () => canvas.zoom(1 / 1.6, undefined, undefined, true));
byId("show-all").addEventListener("click", () => canvas.move(canvas.fit(), 400));

byId("download").addEventListener("click", download);
byId("clear").addEventListener("click", () => {
  select([]);
  focusView();
});

fillFilters();
setView("map");
say();
