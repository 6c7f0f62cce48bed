"use strict";

document.getElementById("file").addEventListener("change", async (event) => {
  const response = await fetch("predict", { method: "POST", body: event.target.files[0] });
  document.getElementById("answer").textContent = JSON.stringify(await response.json(), null, 2);
});
