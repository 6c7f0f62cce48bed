"use strict";

const byId = (id) => document.getElementById(id);
const percent = (share) => `${Math.round(100 * share)}%`;

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

// Let lines be broken after underscores.
function breakable(name) {
  return name.replaceAll("_", "_\u200b");
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
