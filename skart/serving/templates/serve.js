// The page of a model: paintings are sent one after the other, and listed.

const MAX_ROWS = 8; // movements that are shown without a click
const MAX_TRIES = 5; // while the server is busy
const entries = []; // paintings in the order they came in
let model = null; // what GET /model says
let shown = null; // the entry that is shown
let filled = null; // the entry whose answer stands in the page
let looking = false; // whether the heat map is shown
let working = false;
let gone = false; // whether the server doesn't answer
let leaving = new AbortController();
let nPasted = 0;

// Isolated: names that are written from right to left don't turn what follows.
const isolate = (text) => `\u2068${breakable(text)}\u2069`;
const visible = (text) => text.replace(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu, "\ufffd");
const sentence = (text) => text[0].toUpperCase() + text.slice(1) + (/[.?!]$/.test(text) ? "" : ".");
const megabytes = (n) => `${(n / 1e6).toLocaleString("en", { maximumSignificantDigits: 2 })} MB`;
const list = new Intl.ListFormat("en", { type: "conjunction" });
const count = (n, one) => `${n.toLocaleString("en")} ${one}${n === 1 ? "" : "s"}`;
// Only 0 itself is 0%, and only 1 is 100%.
function share(value) {
  const text = percent(value);
  if (text === "0%" && value > 0) return "<1%";
  return text === "100%" && value < 1 ? ">99%" : text;
}
const best = (entry) => entry.answer.movements[0];
const countLeft = () => entries.filter(({ state }) => state === "waiting" || state === "computing").length;
const verdict = ({ answer }) => (answer.none_of_these ? "None of these" : answer.movements[0].movement);

// The server

class Gone extends Error {}

// Return the JSON of an answer. An error has the server's sentence as its message.
async function ask(path, options = {}) {
  const { signal } = leaving;
  for (let tries = 1; ; tries++) {
    let response, body;
    try {
      response = await fetch(path, { ...options, signal });
      body = await (response.ok ? response.json() : response.json().catch(() => ({})));
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Gone(error);
    }
    if (response.ok) return body;
    if (response.status !== 503 || tries === MAX_TRIES) {
      throw new Error(sentence(body.error || `the server answered with the status ${response.status}`));
    }
    const seconds = Number(response.headers.get("Retry-After")) || 1;
    await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(seconds, 10)));
    signal.throwIfAborted();
  }
}

const predict = (file, query) =>
  ask(`predict?${new URLSearchParams(query)}`, {
    method: "POST",
    body: file,
    headers: { "Content-Type": "application/octet-stream" },
  });

// Tell a server that is gone from a file that can't be read any more, which fails alike.
async function explainGone() {
  try {
    await ask("health");
  } catch {
    gone = true;
    say("The program behind this page, skart serve, doesn't answer. Start it again, then try again.");
    return null;
  }
  return "The file can't be sent: it was changed, moved or removed, or the connection broke. Choose it again.";
}

async function connect() {
  try {
    model = await ask("model");
  } catch {
    await explainGone();
    return;
  }
  gone = false;
  say("");
  describeModel();
  render();
  work();
}

// Send the paintings that wait, one after the other.
async function work() {
  if (working || !model) return;
  working = true;
  for (let entry; !gone && (entry = entries.find(({ state }) => state === "waiting")); ) {
    entry.state = "computing";
    update(entry);
    await answer(entry);
    if (!entries.includes(entry)) continue; // cleared
    update(entry);
    if (entry.state === "waiting") continue; // the server is gone
    // Many answers at once would be read out for minutes.
    if (entry === shown || entry.reason || !countLeft()) announce(entry);
  }
  working = false;
}

async function answer(entry) {
  try {
    entry.reason = findFault(entry.file);
    if (!entry.reason) {
      entry.answer = await predict(entry.file, { neighbors: true });
      entry.model = model.name;
    }
  } catch (error) {
    entry.reason = error instanceof Gone ? await explainGone() : error.message;
  }
  entry.state = entry.answer ? "done" : entry.reason ? "failed" : "waiting";
}

function findFault(file) {
  // In Chromium, files that are gone have no size.
  if (file.size === 0) return "The file is empty, or it was moved or removed.";
  if (file.size <= model.max_bytes) return null;
  return `The file has ${megabytes(file.size)}, and at most ${megabytes(model.max_bytes)} can be sent. Choose a smaller copy, a JPEG for instance.`;
}

// Ask for the heat map of the chosen movement, unless it is known.
async function look(entry) {
  const movement = entry.explained;
  if (entry.heats.has(movement)) return;
  entry.heats.set(movement, { state: "computing" });
  try {
    const { heat } = await predict(entry.file, { heat: true, movement });
    entry.heats.set(movement, heat ? { state: "done", overlay: heat.overlay }
      : { state: "failed", reason: "The model has no heat maps." });
  } catch (error) {
    if (error.name === "AbortError") return;
    const reason = error instanceof Gone ? await explainGone() : error.message;
    if (reason) entry.heats.set(movement, { state: "failed", reason });
    else entry.heats.delete(movement); // asked for again once the server is back
  }
  if (entry === shown) {
    render();
    if (looking && entry.explained === movement) byId("status").textContent = byId("legend").textContent;
  }
}

// Paintings that come in

function add(files) {
  const made = files.map(([file, name]) => ({
    file, name: visible(name), state: "waiting", answer: null, reason: null, explained: null, heats: new Map(),
  }));
  if (!made.length) return;
  if (!gone) say("");
  entries.push(...made);
  for (const entry of made) addRow(entry);
  show(made[0]);
  if (gone) connect();
  else work();
}

function receive(transfer) {
  const files = [], folders = [];
  for (const item of transfer.items) {
    if (item.kind !== "file") continue;
    const file = item.getAsFile();
    if (item.webkitGetAsEntry?.()?.isDirectory) folders.push(file?.name ?? "");
    else if (file) files.push([file, file.name]);
  }
  add(files);
  if (folders.length) {
    say(`${isolate(visible(folders[0]))} is a folder. Drop the files in it.`);
  } else if (!files.length) {
    say("That is a text or a link, not a file. Save the image, then drop the file itself.");
  }
}

function paste(event) {
  const pasted = [...event.clipboardData.files];
  if (!pasted.length) {
    say("The clipboard has no image. Copy an image, then paste it here.");
    return;
  }
  // Browsers give all copied images this name.
  add(pasted.map((file) => [file, file.name === "image.png" ? `Pasted image ${++nPasted}` : file.name]));
}

function clear() {
  leaving.abort();
  leaving = new AbortController();
  entries.length = 0;
  byId("rows").replaceChildren();
  shown = null;
  showImage();
  render();
  byId("status").textContent = "The list is cleared.";
  byId("intro").querySelector("h2").focus();
}

// One painting

function show(entry) {
  shown = entry;
  showImage();
  render();
  byId("verdict").focus({ preventScroll: true });
  scrollTo(0, 0);
}

function showImage() {
  const image = byId("image");
  if (image.src) URL.revokeObjectURL(image.src);
  image.hidden = true;
  if (shown) {
    image.alt = shown.name;
    image.src = URL.createObjectURL(shown.file);
  } else image.removeAttribute("src");
  showFrame(true);
}

// The browser can't show the file, a HEIC photo for instance: show what the model sees.
function replaceImage() {
  const image = byId("image"), thumbnail = shown?.answer?.image.thumbnail;
  if (!shown || (thumbnail && image.src === thumbnail)) return;
  image.hidden = true;
  if (thumbnail) image.src = thumbnail;
  showFrame(Boolean(thumbnail));
}

function showFrame(on) {
  byId("frame").hidden = !on;
  byId("unseeable").hidden = on;
  byId("substitute").hidden = !byId("image").src.startsWith("data:");
}

function update(entry) {
  fillRow(entry);
  if (entry === shown) {
    render();
    if (!byId("unseeable").hidden) replaceImage();
  } else countRows();
}

function announce(entry) {
  const parts = [isolate(entry.name), entry.reason ?? verdict(entry)];
  if (entry.answer && !entry.answer.none_of_these) parts[1] += ` ${share(best(entry).probability)}`;
  if (entry === shown && entry.answer) parts.push(byId("set").hidden ? "" : byId("set").textContent);
  const nLeft = countLeft();
  if (nLeft) parts.push(`${nLeft.toLocaleString("en")} to go`);
  byId("status").textContent = parts.filter(Boolean).join(". ");
}

function render() {
  countRows();
  byId("intro").hidden = entries.length > 0;
  byId("painting").hidden = !shown;
  if (!shown) {
    filled = null;
    return;
  }
  for (const entry of entries) entry.button.setAttribute("aria-current", entry === shown);
  const { answer, state } = shown;
  byId("name").textContent = breakable(shown.name);
  byId("facts").textContent = answer
    ? `${answer.image.width.toLocaleString("en")} × ${answer.image.height.toLocaleString("en")} ${answer.image.format}` : "";
  byId("bar").hidden = state !== "computing" && (state !== "waiting" || gone);
  byId("predicted").hidden = state !== "done";
  byId("reason").hidden = state !== "failed";
  byId("reason").textContent = shown.reason ?? "";
  if (state !== "done") {
    const ahead = entries.some((entry) => entry.state === "computing");
    const waiting = gone ? "Not sent yet" : ahead ? "Waiting for the paintings before it" : "Waiting";
    byId("verdict").textContent = { waiting, computing: "Looking at it…", failed: "No answer" }[state];
    filled = null;
  } else if (filled !== shown) {
    filled = shown;
    fillAnswer();
  }
  renderHeat();
}

function renderHeat() {
  const possible = shown.state === "done" && model?.heat;
  const found = possible && looking ? shown.heats.get(shown.explained) : null;
  byId("views").hidden = byId("hint").hidden = !possible;
  byId("plain").setAttribute("aria-pressed", !looking);
  byId("looked").setAttribute("aria-pressed", looking);
  for (const button of byId("predicted").querySelectorAll("button[data-movement]")) {
    button.setAttribute("aria-pressed", Boolean(possible) && looking && button.dataset.movement === shown.explained);
  }
  byId("legend").hidden = !possible || !looking;
  byId("heat").hidden = found?.state !== "done";
  byId("cropped").hidden = true;
  byId("frame").classList.toggle("looking", found?.state === "done");
  if (!possible || !looking) return;
  if (!found && !gone) {
    look(shown); // which sets what is computed before it waits
    renderHeat();
    return;
  }
  const movement = isolate(shown.explained);
  if (found?.state === "done") byId("heat").src = found.overlay;
  byId("heat").alt = `What speaks for ${movement}`;
  byId("heat").className = model.resize; // which part of the painting it covers
  byId("legend").textContent = {
    computing: `Computing what speaks for ${movement}…`,
    done: `Bright places speak for ${movement}; grey places don't, or speak against it. The brightest place has the same colour in each painting, however weak the reason.`,
    failed: found?.reason,
  }[found?.state] ?? "";
}

function explain(movement, on = true) {
  looking = on;
  shown.explained = movement;
  render();
  byId("frame").scrollIntoView({ block: "nearest" });
}

function fillAnswer() {
  const { answer } = shown;
  shown.explained ??= best(shown).movement;
  byId("verdict").textContent = breakable(verdict(shown));
  byId("trained").hidden = !answer.known;
  byId("unusual").hidden = answer.none_of_these === null;
  byId("unusual").textContent = answer.none_of_these
    ? `This is probably none of the movements that the model knows: only ${Number((100 * answer.typicality).toPrecision(2))}% of the paintings it knows are as unusual.`
    : "It is not unusual among the paintings that the model knows.";
  // What is promised holds for paintings of the known movements alone.
  const set = answer.none_of_these ? null : answer.set;
  byId("set").hidden = byId("promise").hidden = !set;
  if (set) {
    const names = set.map(isolate);
    byId("set").textContent =
      names.length === answer.movements.length ? "All movements are in the running: the model can't decide."
      : names.length === 1 ? `Only ${names[0]} is in the running.`
      : `${names.length} movements are in the running: ${list.format(names)}.`;
    byId("promise").textContent =
      `On average, the true movement is in the running for ${Number((100 * model.coverage).toFixed(1))}% of ${whose()}; for single movements it may be far fewer.`;
  }
  byId("probabilities").textContent = answer.none_of_these ? "If it is one of them after all" : "Probabilities";
  const rows = answer.movements.map(({ movement, probability }) => makeBar(movement, probability, set));
  // One more row takes no more room than the line that hides it.
  const nFirst = rows.length <= MAX_ROWS + 1 ? rows.length : MAX_ROWS;
  byId("movements").replaceChildren(...rows.slice(0, nFirst));
  byId("rest").hidden = nFirst === rows.length;
  byId("rest").querySelector("summary").textContent = `${rows.length - nFirst} more movements`;
  byId("rest").querySelector("ul").replaceChildren(...rows.slice(nFirst));
  fillNeighbors(answer.neighbors ?? [], answer.known);
}

function makeBar(movement, probability, set) {
  const bar = element("span", { className: "bar" });
  bar.style.setProperty("--share", probability);
  const parts = [
    element("bdi", {}, breakable(movement)),
    element("span", { className: "number" }, share(probability)),
    bar,
  ];
  const within = Boolean(set?.includes(movement));
  if (within) parts.push(element("span", { className: "unseen" }, "in the running"));
  const made = model.heat ? element("button", { type: "button", "data-movement": movement }, ...parts) : element("div", {}, ...parts);
  made.classList.toggle("within", within);
  made.onclick = () => model.heat && explain(movement);
  return element("li", {}, made);
}

function fillNeighbors(neighbors, known) {
  byId("neighbors").hidden = !neighbors.length;
  byId("neighbors").querySelector("h3").textContent =
    `The nearest paintings${known && model.artists_known ? " by other artists" : ""}`;
  byId("neighbors").querySelector("ul").replaceChildren(
    ...neighbors.map((one) => element("li", { title: visible(one.painting) },
      one.thumbnail ? element("img", { src: one.thumbnail, alt: "" }) : element("span", { className: "missing" }, "unreadable"),
      element("bdi", {}, breakable(one.movement)),
      element("bdi", { className: "quiet" }, breakable(visible(one.artist ?? one.painting))),
    )),
  );
}

// The list

function addRow(entry) {
  entry.button = element("button", { type: "button", onclick: () => show(entry) });
  entry.row = element("tr", {}, element("th", { scope: "row" }, entry.button));
  for (const name of ["Movement", "Probability", "Set"]) {
    entry.row.append(element("td", { "data-name": name }));
  }
  fillRow(entry);
  byId("rows").append(entry.row);
}

function fillRow(entry) {
  const { answer, state, reason } = entry;
  const [movement, probability, set] = entry.row.querySelectorAll("td");
  const thumbnail = answer?.image.thumbnail;
  entry.button.replaceChildren(
    thumbnail ? element("img", { src: thumbnail, alt: "" }) : element("span", { className: "missing" }),
    element("bdi", { className: "file" }, breakable(entry.name)),
  );
  entry.row.className = state;
  const isKnown = Boolean(answer && !answer.none_of_these);
  movement.colSpan = isKnown ? 1 : 3;
  probability.hidden = set.hidden = !isKnown;
  movement.replaceChildren(element("bdi", {}, answer ? breakable(verdict(entry))
    : { waiting: "waiting", computing: "computing…", failed: reason }[state]));
  if (!isKnown) return;
  probability.textContent = share(best(entry).probability);
  set.textContent = answer.set?.map(isolate).join(", ") ?? "";
}

function countRows() {
  const nLeft = countLeft();
  byId("tried").hidden = !entries.length;
  byId("tried-title").textContent = `${count(entries.length, "painting")}${nLeft ? `, ${nLeft.toLocaleString("en")} to go` : ""}`;
  byId("save").disabled = entries.length === nLeft;
}

// Spreadsheets compute what begins like a formula, but not if a quote is ahead of it.
const harmless = (text) => (/^[\s\ufeff]*[=+\-@\uff0b\uff0d\uff1d\uff20]|^[\t\r\n]/.test(text) ? `'${text}` : text);

function save() {
  const names = ["file", "movement", "probability", "set", "none_of_these", "typicality", "trained_on", "model", "error"];
  const rows = entries.filter(({ state }) => state === "done" || state === "failed").map(({ name, answer, reason, model }) => {
    if (!answer) return [name, "", "", "", "", "", "", "", reason];
    const { movement, probability } = answer.movements[0];
    const set = answer.none_of_these ? "" : answer.set?.join("; ");
    return [name, movement, probability, set, answer.none_of_these, answer.typicality, answer.known, model, ""];
  });
  const safe = rows.map((row) => row.map((cell) => (typeof cell === "string" ? harmless(cell) : cell)));
  downloadCsv("predictions.csv", [names, ...safe]);
}

// What is said

const whose = () => (model.artists_apart ? "paintings by new artists" : "other paintings by the same artists");

function say(text) {
  byId("alert").querySelector("p").textContent = text;
  byId("again").hidden = !gone;
}

function describeModel() {
  const { movements, accuracy, accuracy_interval: interval } = model;
  const parts = [`The model, ${isolate(visible(model.name))}, knows ${count(movements.length, "movement")}: ${list.format(movements.map(isolate))}.`];
  if (accuracy !== null) {
    const range = interval === null ? "" : ` (between ${interval.map(percent).join(" and ")})`;
    parts.push(`It is right on about ${percent(accuracy)} of ${whose()}${range}.`);
  }
  if (model.unknown === null) parts.push("It finds one of them in any image, a photograph of a cat, too.");
  byId("about").textContent = parts.join(" ");
}

const isHere = ["localhost", "[::1]"].includes(location.hostname) || location.hostname.startsWith("127.");
byId("kept").textContent = `${
  isHere ? "Nothing leaves this machine, and nothing is kept" : `Images are sent to ${location.hostname} alone, and nothing is kept`
}: the list is gone when this page is closed.`;

for (const [button, input] of [["choose", "files"], ["photo", "camera"]]) {
  byId(button).onclick = () => byId(input).click();
  byId(input).onchange = ({ target }) => {
    add([...target.files].map((file) => [file, file.name]));
    target.value = ""; // so that the same file can be chosen again
  };
}
byId("intro").onclick = () => byId("files").click();
byId("plain").onclick = () => explain(shown.explained, false);
byId("looked").onclick = () => explain(shown.explained);
byId("save").onclick = save;
byId("clear").onclick = clear;
byId("again").onclick = connect;
byId("image").onload = ({ target }) => {
  byId("frame").style.setProperty("--ratio", target.naturalWidth / target.naturalHeight);
  target.hidden = false;
};
byId("image").onerror = replaceImage;
byId("heat").onload = ({ target }) => {
  const [whole, seen] = [byId("image"), target].map((one) => one.naturalWidth / one.naturalHeight);
  byId("cropped").hidden = target.hidden || model.resize !== "crop" || Math.abs(whole / seen - 1) < 0.02;
};
document.onpaste = paste;
document.ondragover = (event) => {
  event.preventDefault(); // or the browser opens what is dropped
  document.body.classList.add("dropping");
};
document.ondragleave = ({ relatedTarget }) => {
  if (!relatedTarget) document.body.classList.remove("dropping");
};
document.ondrop = (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  receive(event.dataTransfer);
};
connect();
