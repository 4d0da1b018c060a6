// What Live shows is of now, or it is not shown: a station that answers no more must not leave an old verdict standing.
"use strict";

const PATIENCE = 5000; // milliseconds without an answer
const lost = document.querySelector("[data-lost]");
let heard = performance.now();

function tell(words, reason) {
  const panel = document.querySelector("#live");
  if (panel) panel.hidden = words !== "";
  lost.hidden = words === "";
  if (lost.querySelector("[data-words]").textContent === words) return;
  lost.querySelector("[data-words]").textContent = words;
  lost.querySelector("[data-reason]").textContent = reason;
}

document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.requestConfig?.elt.id !== "live") return; // an answer that was swapped in has another elt by now
  const status = event.detail.xhr.status; // 0 where nothing came
  if (event.detail.successful) {
    heard = performance.now();
    tell("", "");
  } else if (status === 401) tell("signed out", "Sign in to see the line.");
  else if (status) tell("no verdict", `The station cannot say what it judged (${status}). It is asked again and again.`);
  else tell("no connection", "The station does not answer. It is asked again and again.");
});

setInterval(() => {
  if (lost.hidden && performance.now() - heard > PATIENCE) tell("no connection", "The station has not answered for long.");
}, 1000);
