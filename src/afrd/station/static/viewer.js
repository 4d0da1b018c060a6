// Switches lights, fades the map, and zooms every picture of a viewer in step. Works on whatever HTMX puts into the page.
"use strict";

function viewerOf(element) {
  return element.closest("[data-viewer]");
}

function showLight(button) {
  const viewer = viewerOf(button);
  const picture = viewer && viewer.querySelector("[data-picture]");
  if (!picture) return;
  for (const other of viewer.querySelectorAll("[data-light]")) other.setAttribute("aria-pressed", other === button);
  picture.src = button.dataset.light;
  picture.alt = picture.alt.replace(/under light .*/, "under light " + button.firstChild.textContent.trim());
}

function zoom(viewer, factor) {
  const now = Number(viewer.dataset.zoomed || 1);
  const next = factor === 0 ? 1 : Math.min(40, Math.max(1, now * factor));
  viewer.dataset.zoomed = next;
  if (next === 1) move(viewer, 0, 0, true);
  viewer.style.setProperty("--zoom", next);
}

function move(viewer, x, y, absolute) {
  const [oldX, oldY] = absolute ? [0, 0] : [Number(viewer.dataset.x || 0), Number(viewer.dataset.y || 0)];
  viewer.dataset.x = oldX + x;
  viewer.dataset.y = oldY + y;
  viewer.style.setProperty("--x", viewer.dataset.x + "px");
  viewer.style.setProperty("--y", viewer.dataset.y + "px");
}

function typing(event) {
  return event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
}

document.addEventListener("click", (event) => {
  const light = event.target.closest("[data-light]");
  if (light) showLight(light);
  const step = event.target.closest("[data-zoom]");
  if (step) zoom(document.querySelector("[data-in-step]"), Number(step.dataset.zoom));
});

document.addEventListener("pointerover", (event) => {
  const light = event.pointerType === "mouse" && event.target.closest("[data-light]");
  if (light) showLight(light);
});

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-opacity]"))
    viewerOf(event.target).style.setProperty("--map", event.target.value / 100);
});

document.addEventListener("keydown", (event) => {
  if (typing(event)) return;
  const viewer = viewerOf(event.target) || document.querySelector("[data-viewer]");
  if (!viewer) return;
  const lights = viewer.querySelectorAll("[data-light]");
  if (event.key >= "1" && event.key <= "9" && lights[event.key - 1]) showLight(lights[event.key - 1]);
  else if (event.key === "m") {
    const slider = viewer.querySelector("[data-opacity]");
    slider.value = slider.value > 0 ? 0 : 70;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  } else if (event.key === "+") zoom(viewer, 1.5);
  else if (event.key === "-") zoom(viewer, 1 / 1.5);
  else if (event.key === "0") zoom(viewer, 0);
});

document.addEventListener("wheel", (event) => {
  const stage = event.target.closest("[data-stage]");
  if (!stage || !event.ctrlKey && !stage.closest("[data-in-step]")) return;
  event.preventDefault();
  zoom(viewerOf(stage), event.deltaY < 0 ? 1.2 : 1 / 1.2);
}, { passive: false });

document.addEventListener("pointermove", (event) => {
  const stage = event.buttons === 1 && event.target.closest("[data-stage]");
  if (stage && !stage.closest("[data-brushing]")) move(viewerOf(stage), event.movementX, event.movementY);
});

document.addEventListener("dragstart", (event) => {
  if (event.target.closest("[data-stage]")) event.preventDefault();
});
