const paintings = data.paintings;
const decisions = new Map(); // by path: {decision, movement, corrected}
const past = [];
let current = 0;

function restore() {
  const kept = readKept();
  for (const { path, movement } of paintings) {
    const found = kept.get(path);
    if (found?.movement !== movement) continue;
    const known = found.decision !== "change" || data.movements.includes(found.corrected);
    if (known && ["keep", "change", "exclude"].includes(found.decision)) {
      decisions.set(path, found);
    }
  }
}

// Return words, and the name of a movement that follows them.
function describe(made) {
  if (!made) return ["not decided", ""];
  if (made.decision === "keep") return ["kept as ", made.movement];
  if (made.decision === "change") return ["changed to ", made.corrected];
  return ["excluded", ""];
}

function decide(decision, corrected = "") {
  const painting = paintings[current];
  past.push([current, decisions.get(painting.path)]);
  const made = { decision, movement: painting.movement, corrected };
  decisions.set(painting.path, made);
  keep(decisions);
  const said = describe(made).join("");
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
  keep(decisions);
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
  const names = [painting.movement, painting.suggested, painting.artist].filter(Boolean);
  // Isolated: names that are written from right to left don't turn what follows.
  byId("reason").textContent = names.reduce(
    (text, name) => text.replaceAll(name, `\u2068${name}\u2069`), painting.reason,
  );
  byId("issue").hidden = !painting.issue;
  const [words, name] = describe(made);
  byId("decided").replaceChildren(...(made ? ["Decided: ", words, element("bdi", {}, name)] : []));
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
  showProgress(decisions.size, paintings.length, "decided");
  [...byId("all").children].forEach((item, number) => {
    const decided = decisions.get(paintings[number].path);
    const button = item.firstChild;
    button.dataset.decision = decided?.decision ?? "";
    button.setAttribute("aria-label", `Painting ${number + 1}, ${describe(decided).join("")}`);
    if (number === place) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  });
  const now = `Painting ${place + 1}: ${painting.movement}, suggested ${painting.suggested}`;
  byId("status").textContent = [said, byId("count").textContent, now].filter(Boolean).join(". ");
  const top = byId("main").offsetTop;
  if (scrollY > top) scrollTo(0, top);
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
  byId("main").hidden = false;
  const first = paintings.findIndex((painting) => !decisions.has(painting.path));
  show(Math.max(first, 0));
}
