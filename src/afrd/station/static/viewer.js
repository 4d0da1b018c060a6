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
  const into = event.target.closest("input:not([type=range]), select, textarea");
  return event.ctrlKey || event.metaKey || event.altKey || into !== null;
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

const STEP = 40; // pixels that an arrow key moves a picture
const ARROWS = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
const ZOOMS = { "+": 1.5, "-": 1 / 1.5, 0: 0 };

document.addEventListener("keydown", (event) => {
  if (typing(event)) return;
  const focused = viewerOf(event.target);
  const viewers = focused ? [focused] : [...document.querySelectorAll("[data-viewer]")];
  if (!viewers.length) return;
  const lights = viewers[0].querySelectorAll("[data-light]");
  if (event.key >= "1" && event.key <= "9" && lights[event.key - 1]) showLight(lights[event.key - 1]);
  else if (event.key === "m") {
    const slider = viewers[0].querySelector("[data-opacity]");
    slider.value = slider.value > 0 ? 0 : 70;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  } else if (event.key in ZOOMS) viewers.forEach((viewer) => zoom(viewer, ZOOMS[event.key]));
  else if (event.key in ARROWS && !event.target.matches("input")) {
    const zoomed = viewers.filter((viewer) => viewer.dataset.zoomed > 1); // else the arrow scrolls the page
    if (zoomed.length) event.preventDefault();
    zoomed.forEach((viewer) => move(viewer, ...ARROWS[event.key]));
  }
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
