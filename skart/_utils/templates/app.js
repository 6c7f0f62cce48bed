"use strict";

const byId = (id) => document.getElementById(id);
const percent = (share) => `${Math.round(100 * share)}%`;
const data = JSON.parse(byId("data").textContent);

// Make an element; children are elements or texts, which are never read as HTML.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Download rows, lists of values, as a CSV file. The byte order mark lets spreadsheets
// recognise UTF-8.
function downloadCsv(name, rows) {
  const quote = (value) => {
    const text = String(value ?? "");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const text = rows.map((row) => row.map(quote).join(",") + "\r\n").join("");
  const file = new Blob(["\ufeff" + text], { type: "text/csv;charset=utf-8" });
  const link = element("a", { href: URL.createObjectURL(file), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// What is entered is kept in the browser, as values by path, for this page alone.
// Storage may be forbidden, or hold what another page has written.
const storageKey = `skart ${byId("data").dataset.digest}`;
let unsaved = false;

function readKept() {
  try {
    return new Map(JSON.parse(localStorage.getItem(storageKey)));
  } catch {
    return new Map();
  }
}

function keep(values) {
  unsaved = true;
  try {
    localStorage.setItem(storageKey, JSON.stringify([...values]));
    unsaved = false;
  } catch {
    // They are lost with the page, which asks before it is closed.
  }
}

window.addEventListener("beforeunload", (event) => {
  if (unsaved) event.preventDefault();
});

function showProgress(done, total, word) {
  byId("bar").max = total;
  byId("bar").value = done;
  byId("count").textContent = `${done} of ${total} ${word}`;
  byId("save").disabled = done === 0;
  byId("save").classList.toggle("done", done === total);
}
