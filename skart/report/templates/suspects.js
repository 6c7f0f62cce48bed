const data = readData();
const paintings = data.paintings;
const decisions = new Map(); // by path: {decision, movement, corrected}
const past = [];
let current = 0;
let unsaved = false;

const byId = (id) => document.getElementById(id);
const percent = (share) => `${Math.round(100 * share)} %`;

// Storage may be forbidden, or hold what another page has written.
function restore() {
  let kept;
  try {
    kept = JSON.parse(localStorage.getItem(data.key)) || {};
  } catch {
    return;
  }
  for (const painting of paintings) {
    const found = kept[painting.path];
    if (!found || found.movement !== painting.movement) continue;
    const known = found.decision !== "change" || data.movements.includes(found.corrected);
    if (known && ["keep", "change", "exclude"].includes(found.decision)) {
      decisions.set(painting.path, found);
    }
  }
}

function store() {
  unsaved = true;
  try {
    const kept = JSON.parse(localStorage.getItem(data.key)) || {};
    for (const painting of paintings) {
      const made = decisions.get(painting.path);
      if (made) kept[painting.path] = made;
      else delete kept[painting.path];
    }
    localStorage.setItem(data.key, JSON.stringify(kept));
    unsaved = false;
  } catch {
    // The decisions are lost with the page, which asks before it is closed.
  }
}

// Let lines be broken after underscores.
function breakable(name) {
  return name.replaceAll("_", "_\u200b");
}

function describe(made) {
  if (!made) return "not decided";
  if (made.decision === "keep") return `kept: ${made.movement}`;
  if (made.decision === "change") return `changed to ${made.corrected}`;
  return "excluded";
}

function countDecided() {
  return `${decisions.size} of ${paintings.length} decided`;
}

function decide(decision, corrected = "") {
  const painting = paintings[current];
  past.push([current, decisions.get(painting.path)]);
  const made = { decision, movement: painting.movement, corrected };
  decisions.set(painting.path, made);
  store();
  const said = describe(made);
  const order = paintings.map((_, place) => (current + 1 + place) % paintings.length);
  const open = order.find((place) => !decisions.has(paintings[place].path));
  if (open === undefined) show(current, `${said}. All are decided: download the corrections`);
  else show(open, said);
}

function undo() {
  const last = past.pop();
  if (!last) return;
  const [place, before] = last;
  const path = paintings[place].path;
  if (before) decisions.set(path, before);
  else decisions.delete(path);
  store();
  show(place, "Undone");
}

function go(step) {
  const place = current + step;
  if (place >= 0 && place < paintings.length) show(place);
}

function fillPictures(section, related) {
  section.hidden = related.length === 0;
  section.querySelector("ul").replaceChildren(
    ...related.map((one) =>
      element(
        "li",
        { title: one.path },
        data.small[one.picture]
          ? element("img", { src: data.small[one.picture], alt: "" })
          : element("span", { className: "missing" }, "unreadable"),
        element("bdi", { className: "movement" }, breakable(one.movement)),
        element("bdi", {}, breakable(one.artist ?? "")),
      ),
    ),
  );
}

function show(place, said = "") {
  current = place;
  const painting = paintings[place];
  const made = decisions.get(painting.path);
  const image = data.large[painting.picture];
  byId("image").hidden = !image;
  byId("unreadable").hidden = Boolean(image);
  if (image) byId("image").src = image;
  byId("image").alt = painting.path;
  byId("artist").textContent = painting.artist ?? "";
  byId("path").textContent = painting.path;
  byId("place").textContent = `Painting ${place + 1} of ${paintings.length}`;
  for (const [id, name] of [["movement", painting.movement], ["keep-name", painting.movement],
    ["suggested", painting.suggested], ["change-name", painting.suggested]]) {
    byId(id).textContent = breakable(name);
  }
  for (const [id, share] of [["probability", painting.probability],
    ["suggested-probability", painting.suggestedProbability]]) {
    byId(id).textContent = percent(share);
    byId(id).style.setProperty("--share", share);
  }
  byId("reason").textContent = painting.reason;
  byId("issue").hidden = !painting.issue;
  byId("decided").textContent = made ? `Decided: ${describe(made)}` : "";
  for (const button of byId("decide").querySelectorAll("button")) {
    const isChange = button.id === "change" && made?.corrected === painting.suggested;
    const isOther = button.id === "change-other" && made?.decision === "change"
      && made.corrected !== painting.suggested;
    const pressed = made?.decision === button.id && button.id !== "change";
    button.setAttribute("aria-pressed", String(pressed || isChange || isOther));
  }
  const others = data.movements.filter(
    (name) => name !== painting.movement && name !== painting.suggested,
  );
  byId("others").hidden = others.length === 0;
  byId("other").replaceChildren(
    ...others.map((name) => element("option", { value: name }, name)),
  );
  if (others.includes(made?.corrected)) byId("other").value = made.corrected;
  fillPictures(byId("duplicates"), painting.duplicates);
  fillPictures(byId("neighbors"), painting.neighbors);
  byId("back").disabled = place === 0;
  byId("next").disabled = place === paintings.length - 1;
  byId("undo").disabled = past.length === 0;
  byId("bar").max = paintings.length;
  byId("bar").value = decisions.size;
  byId("count").textContent = countDecided();
  byId("save").disabled = decisions.size === 0;
  byId("save").classList.toggle("done", decisions.size === paintings.length);
  [...byId("all").children].forEach((item, number) => {
    const decided = decisions.get(paintings[number].path);
    const button = item.firstChild;
    button.dataset.decision = decided?.decision ?? "";
    button.setAttribute("aria-label", `Painting ${number + 1}, ${describe(decided)}`);
    if (number === place) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  });
  const now = `Painting ${place + 1}: ${painting.movement}, suggested ${painting.suggested}`;
  byId("status").textContent = [said, countDecided(), now].filter(Boolean).join(". ");
}

function save() {
  const rows = paintings
    .filter((painting) => decisions.has(painting.path))
    .map((painting) => {
      const made = decisions.get(painting.path);
      return [painting.path, made.movement, made.decision, made.corrected];
    });
  downloadCsv("corrections.csv", [["path", "movement", "decision", "corrected"], ...rows]);
  unsaved = false;
}

const actions = {
  keep: () => decide("keep"),
  change: () => decide("change", paintings[current].suggested),
  exclude: () => decide("exclude"),
  "change-other": () => decide("change", byId("other").value),
  back: () => go(-1),
  next: () => go(1),
  undo,
  save,
};
const keys = {
  k: actions.keep,
  c: actions.change,
  x: actions.exclude,
  u: actions.undo,
  o: () => byId("other").focus(),
  arrowleft: actions.back,
  arrowright: actions.next,
};

if (paintings.length === 0) {
  byId("nothing").hidden = false;
  byId("save").hidden = byId("bar").hidden = true;
} else {
  restore();
  for (const [id, action] of Object.entries(actions)) byId(id).onclick = action;
  byId("all").append(
    ...paintings.map((_, place) =>
      element("li", {}, element("button", { type: "button", onclick: () => show(place) },
        String(place + 1))),
    ),
  );
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === byId("other")) {
      // Letters choose a movement there.
      if (event.key === "Enter") {
        event.preventDefault();
        byId("place").focus();
        actions["change-other"]();
      } else if (event.key === "Escape") byId("place").focus();
      return;
    }
    const action = keys[event.key.toLowerCase()];
    if (!action || event.repeat) return;
    event.preventDefault();
    action();
  });
  window.addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault();
  });
  byId("main").hidden = false;
  const first = paintings.findIndex((painting) => !decisions.has(painting.path));
  show(Math.max(first, 0));
}
