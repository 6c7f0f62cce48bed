const paintings = data.paintings;
const labels = new Map(); // by path: {movement, artist, skipped}
const cards = [];

const labelOf = (painting) =>
  labels.get(painting.path) ?? { movement: "", artist: "", skipped: false };
const isDone = (painting) => {
  const label = labelOf(painting);
  return label.skipped || label.movement.trim() !== "";
};

function restore() {
  const kept = readKept();
  for (const { path } of paintings) {
    const { movement, artist, skipped } = kept.get(path) ?? {};
    if (typeof movement === "string" && typeof artist === "string") {
      labels.set(path, { movement, artist, skipped: skipped === true });
    }
  }
}

function change(painting, entries) {
  labels.set(painting.path, { ...labelOf(painting), ...entries });
  keep(labels);
  update();
}

// Offer the names that are known or have been entered.
function fillLists() {
  for (const role of ["movement", "artist"]) {
    const entered = paintings.map((painting) => labelOf(painting)[role].trim()).filter(Boolean);
    const names = [...new Set([...data[`${role}s`], ...entered])].sort((a, b) => a.localeCompare(b));
    byId(`${role}s`).replaceChildren(...names.map((value) => element("option", { value })));
  }
}

function update() {
  paintings.forEach((painting, place) => {
    const label = labelOf(painting);
    const { card, guesses, movement, artist, skip } = cards[place];
    card.dataset.state = label.skipped ? "skipped" : isDone(painting) ? "labelled" : "open";
    if (movement.value !== label.movement) movement.value = label.movement;
    if (artist.value !== label.artist) artist.value = label.artist;
    movement.disabled = artist.disabled = label.skipped;
    for (const [name, button] of guesses) {
      button.disabled = label.skipped;
      const chosen = !label.skipped && label.movement.trim() === name;
      button.setAttribute("aria-pressed", String(chosen));
    }
    skip.setAttribute("aria-pressed", String(label.skipped));
  });
  showProgress(paintings.filter(isDone).length, paintings.length, "done");
}

function makeCard(painting, place) {
  const guesses = painting.predictions.map(([name, share]) => [
    name,
    element("button", { type: "button", onclick: () => change(painting, { movement: name }) },
      element("bdi", {}, name), element("span", {}, percent(share))),
  ]);
  const input = (role) => {
    const made = element("input", { type: "text", autocomplete: "off", name: role, onchange: fillLists });
    made.setAttribute("list", `${role}s`); // the property is read-only
    made.oninput = () => change(painting, { [role]: made.value });
    return made;
  };
  const movement = input("movement");
  const artist = input("artist");
  const skip = element(
    "button",
    {
      type: "button",
      className: "skip",
      onclick: () => change(painting, { skipped: !labelOf(painting).skipped }),
    },
    "Can't tell",
  );
  const card = element(
    "article",
    { "aria-labelledby": `path-${place}` },
    painting.image
      ? element("img", { src: painting.image, alt: "" })
      : element("p", { className: "missing" }, "This file can't be read."),
    element("h2", { id: `path-${place}` }, element("bdi", {}, painting.path)),
    element("div", { className: "guesses", role: "group", "aria-label": "Predicted" },
      ...guesses.map(([, button]) => button)),
    element("label", {}, "Movement", movement),
    element("label", {}, "Artist", artist),
    skip,
  );
  cards.push({ card, guesses, movement, artist, skip });
  return card;
}

// What is not done yet is left out, and suggested again.
function save() {
  const rows = paintings.filter(isDone).map((painting) => {
    const label = labelOf(painting);
    const [first, second] = painting.predictions;
    const names = label.skipped ? ["", ""] : [label.movement.trim(), label.artist.trim()];
    return [painting.path, ...names, first?.[0], first?.[1], second?.[0]];
  });
  downloadCsv(data.file, [data.columns, ...rows]);
  unsaved = false;
}

restore();
byId("cards").append(...paintings.map(makeCard));
byId("save").onclick = save;
fillLists();
update();
