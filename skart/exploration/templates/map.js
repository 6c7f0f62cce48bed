// The page of a map: views, filters, search, selection, details and table.

const n = data.x.length;
const PER_PAGE = 100;
const count = (number) => `${number.toLocaleString("en")} ${number === 1 ? "painting" : "paintings"}`;

// Facets: what paintings are coloured and filtered by. Codes are -1 if unknown.
const facets = data.facets.map((facet) => ({ ...facet, chosen: new Set() }));
const shown = new Uint8Array(n).fill(1);
const selected = new Set();
let colouring = facets[0] ?? null;
let query = "";
let view = "map";
let page = 0;

const canvas = new Canvas(byId("canvas"), data, {
  isShown: (i) => shown[i] === 1,
  isSelected: (i) => selected.has(i),
  hasSelection: () => selected.size > 0,
  frameOf: (i) => (colouring ? (colouring.colours[colouring.codes[i]] ?? "#8a857d") : null),
});
canvas.ready.then(() => {
  document.body.dataset.ready = "";
  if (canvas.picked !== null) fillDetails();
});

// Return what is known of a painting, pairs of a name and a text.
function facts(i) {
  const known = [["file", data.path[i]]];
  for (const facet of facets) {
    if (facet.codes[i] >= 0) known.push([facet.name, facet.values[facet.codes[i]]]);
  }
  for (const [name, values] of data.columns) {
    if (typeof values[i] === "number") known.push([name, percent(values[i])]);
    else if (values[i] !== null) known.push([name, values[i]]);
  }
  return known;
}

// Return a text as it is searched: without case and accents, which file names of some
// systems hold as characters of their own.
function fold(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

// What is searched in: all texts of a painting.
const texts = [];
function textOf(i) {
  texts[i] ??= fold([data.name[i], ...facts(i).map((fact) => fact[1])].join("\n"));
  return texts[i];
}

function update() {
  const words = fold(query).split(/\s+/).filter(Boolean);
  let number = 0;
  for (let i = 0; i < n; i++) {
    const fits =
      facets.every(({ chosen, codes }) => !chosen.size || chosen.has(codes[i])) &&
      (!words.length || words.every((word) => textOf(i).includes(word)));
    shown[i] = fits ? 1 : 0;
    number += shown[i];
  }
  page = 0;
  say(number);
  if (view === "table") fillTable();
  canvas.draw();
}

function say(number = shown.reduce((sum, one) => sum + one, 0)) {
  const text = number === n ? count(n) : `${number.toLocaleString("en")} of ${count(n)} shown`;
  byId("status").textContent = text;
  document.body.dataset.shown = number;
  document.body.dataset.selected = selected.size;
  byId("selection").hidden = !selected.size;
  byId("selection").firstElementChild.textContent = `${selected.size.toLocaleString("en")} selected`;
}

// Colours and filters

function swatch(colour) {
  const made = element("span", { className: "swatch" });
  if (colour) made.style.background = colour;
  return made;
}

function fillFilters() {
  const panel = byId("filters");
  const choose = element("button", { type: "button", id: "select-shown" }, "Select all shown");
  choose.addEventListener("click", () => select(shownOnes()));
  if (!facets.length) {
    panel.hidden = byId("open-filters").hidden = true;
    document.querySelector(".heading").after(choose);
    return;
  }
  panel.append(
    element("button", { type: "button", className: "close", id: "close-filters", "aria-label": "Close filters" }, "×"),
  );
  const choice = element("select", { id: "colours" });
  for (const [k, facet] of facets.entries()) {
    choice.append(element("option", { value: k }, facet.name));
  }
  choice.append(element("option", { value: -1 }, "nothing"));
  choice.addEventListener("change", () => {
    colouring = facets[choice.value] ?? null;
    showSwatches();
    canvas.draw();
  });
  panel.append(element("label", {}, "Colour by", choice));
  for (const facet of facets) panel.append(makeFilter(facet));
  panel.append(element("div", { className: "actions last" }, choose));
  byId("close-filters").addEventListener("click", () => showFilters(false));
  showSwatches();
}

function makeFilter(facet) {
  const list = element("ul");
  const numbers = new Map();
  for (const code of facet.codes) numbers.set(code, (numbers.get(code) ?? 0) + 1);
  const codes = facet.values.map((_, code) => code).filter((code) => numbers.has(code));
  for (const code of numbers.has(-1) ? [...codes, -1] : codes) {
    const box = element("input", { type: "checkbox" });
    box.addEventListener("change", () => {
      if (box.checked) facet.chosen.add(code);
      else facet.chosen.delete(code);
      clear.hidden = !facet.chosen.size;
      update();
    });
    const label = element(
      "label",
      {},
      box,
      swatch(),
      element("bdi", { className: "name" }, facet.values[code] ?? "unknown"),
      element("span", { className: "number" }, numbers.get(code).toLocaleString("en")),
    );
    label.dataset.colour = facet.colours[code] ?? "#8a857d";
    list.append(element("li", {}, label));
  }
  const clear = element("button", { type: "button", hidden: true }, "Show all");
  clear.addEventListener("click", () => {
    for (const box of list.querySelectorAll("input")) box.checked = false;
    facet.chosen.clear();
    made.querySelector("summary").focus(); // before the button, which has it, is hidden
    clear.hidden = true;
    update();
  });
  facet.list = list;
  const made = element("details", { open: facet.name !== "predicted" && list.children.length <= 30 }, element("summary", {}, facet.name));
  if (list.children.length > 15) {
    const find = element("input", { type: "search", placeholder: "Find", "aria-label": `Find in ${facet.name}` });
    find.addEventListener("input", () => {
      const wanted = fold(find.value);
      for (const item of list.children) item.hidden = !fold(item.querySelector(".name").textContent).includes(wanted);
    });
    made.append(find);
  }
  made.append(list, element("div", { className: "actions" }, clear));
  return made;
}

// The list of the facet that colours is the legend.
function showSwatches() {
  for (const facet of facets) {
    for (const label of facet.list.querySelectorAll("label")) {
      const patch = label.querySelector(".swatch");
      patch.hidden = facet !== colouring;
      patch.style.background = label.dataset.colour;
    }
  }
}

// Selection

function shownOnes() {
  return [...shown.keys()].filter((i) => shown[i]);
}

function select(rows) {
  selected.clear();
  for (const i of rows) selected.add(i);
  say();
  byId("announcement").textContent = `${count(selected.size)} selected`;
  nameChoice();
  canvas.draw();
}

// Say what the button of the details does.
function nameChoice() {
  const button = byId("details").querySelector(".actions button");
  if (button) button.textContent = selected.has(canvas.picked) ? "Remove from selection" : "Add to selection";
}

// Focus what the view shows: the painting in the table, if it is there.
function focusView(i = null) {
  const table = byId("table");
  const row = table.querySelector(`[data-painting="${i}"]`) ?? table.querySelector("button");
  (view === "table" ? row : byId("canvas")).focus();
}

function download() {
  const names = facets.map((facet) => facet.name);
  const rows = [["path", ...names, ...data.columns.map(([name]) => name)]];
  for (const i of [...selected].sort((a, b) => a - b)) {
    rows.push([
      data.path[i],
      ...facets.map((facet) => facet.values[facet.codes[i]]),
      ...data.columns.map(([, values]) => values[i]),
    ]);
  }
  downloadCsv("selection.csv", rows);
}

// One painting

function verdict(i) {
  const result = facets.find((facet) => facet.name === "result");
  return result && result.codes[i] >= 0 ? result.values[result.codes[i]] : null;
}

function fillDetails() {
  const i = canvas.picked;
  const list = element("dl");
  for (const [name, text] of facts(i)) {
    const value = element("dd", { className: name === "file" ? "file" : "" }, element("bdi", {}, text));
    if (name === "result") value.firstChild.className = text;
    list.append(element("div", {}, element("dt", {}, name), value));
  }
  const close = element("button", { type: "button", className: "close", "aria-label": "Close" }, "×");
  close.addEventListener("click", () => pick(null));
  const choose = element("button", { type: "button" });
  choose.addEventListener("click", () => toggle(i));
  const panel = byId("details");
  panel.replaceChildren(
    close,
    canvas.picture(i, { role: "img", "aria-label": data.name[i] }),
    element("h2", { tabIndex: -1 }, element("bdi", {}, data.name[i])),
    list,
    element("div", { className: "actions" }, choose),
  );
  nameChoice();
  const near = data.neighbors[i];
  if (near.length) {
    const box = element("div", { className: "neighbors" });
    for (const j of near) {
      const button = element("button", { type: "button" }, canvas.picture(j, { "aria-hidden": "true" }));
      button.append(...caption(j));
      button.addEventListener("click", () => {
        pick(j, { focus: true });
        if (view !== "table") canvas.show(j, covered());
      });
      button.dataset.painting = j;
      box.append(button);
    }
    panel.append(element("h3", {}, data.neighborsTitle), box);
  }
  panel.hidden = false;
}

// Return the lines on a painting that stand below a small picture.
function caption(i) {
  const lines = [element("bdi", { className: "name" }, data.name[i])];
  const known = facets.filter((facet) => ["movement", "artist"].includes(facet.name) && facet.codes[i] >= 0);
  const text = known.map((facet) => facet.values[facet.codes[i]]).reverse().join(", ");
  if (text) lines.push(element("bdi", { className: "name quiet" }, text));
  return lines;
}

function pick(i, { focus = false } = {}) {
  const panel = byId("details");
  const within = panel.contains(document.activeElement);
  const before = canvas.picked;
  canvas.picked = i;
  document.body.dataset.picked = i ?? "";
  hideTip();
  if (i === null) {
    panel.hidden = true;
    if (within) focusView(before);
  } else {
    fillDetails();
    panel.scrollTop = 0;
    if (focus) panel.querySelector("h2").focus();
    byId("announcement").textContent = [data.name[i], ...facts(i).slice(1, 3).map((fact) => fact[1])].join(", ");
  }
  canvas.draw();
}

function toggle(i) {
  const rows = new Set(selected);
  if (!rows.delete(i)) rows.add(i);
  select(rows);
}

// Return how much of the stage the details cover.
function covered() {
  const panel = byId("details");
  if (panel.hidden || getComputedStyle(panel).position !== "absolute") return {};
  const wide = panel.offsetWidth < byId("stage").clientWidth * 0.85;
  return wide ? { right: panel.offsetWidth } : { bottom: panel.offsetHeight };
}

function showTip(i, x, y) {
  const tip = byId("tip");
  if (tip.dataset.painting !== String(i)) {
    tip.dataset.painting = i;
    tip.replaceChildren(canvas.picture(i), ...caption(i));
    const result = verdict(i);
    if (result) tip.append(element("span", { className: result }, result));
  }
  tip.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = tip;
  const left = x + 18 + width > canvas.width ? x - 18 - width : x + 18;
  const top = Math.min(Math.max(y - height / 2, 8), canvas.height - height - 8);
  tip.style.transform = `translate(${Math.round(Math.max(left, 8))}px, ${Math.round(Math.max(top, 8))}px)`;
}

function hideTip() {
  byId("tip").hidden = true;
}
