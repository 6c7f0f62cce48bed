const data = JSON.parse(byId("data").textContent);

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
