// One key each for good, defect and skip; a brush that paints a mask over the part.
"use strict";

document.addEventListener("keydown", (event) => {
  if (typing(event)) return; // of viewer.js
  const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (target) target.click();
});

const brushed = document.querySelector("[data-brushed]");

if (brushed) {
  const picture = brushed.querySelector("[data-picture]");
  const stage = brushed.querySelector("[data-stage]");
  const canvas = document.createElement("canvas");
  let painted = false;

  const fit = () => {
    canvas.width = picture.naturalWidth;
    canvas.height = picture.naturalHeight;
  };
  if (picture && stage) {
    stage.append(canvas);
    if (picture.complete) fit();
    else picture.addEventListener("load", fit, { once: true });
  }

  const paint = (event) => {
    if (!brushed.hasAttribute("data-brushing") || event.buttons !== 1) return;
    // the picture lies centred in its square stage, as large as it fits
    const box = canvas.getBoundingClientRect();
    const scale = Math.min(box.width / canvas.width, box.height / canvas.height);
    const x = (event.clientX - box.left - (box.width - scale * canvas.width) / 2) / scale;
    const y = (event.clientY - box.top - (box.height - scale * canvas.height) / 2) / scale;
    const context = canvas.getContext("2d");
    context.fillStyle = "rgb(255 40 40 / 1)";
    context.beginPath();
    context.arc(x, y, Math.max(1, canvas.width / 50), 0, 2 * Math.PI);
    context.fill();
    painted = true;
  };
  canvas.addEventListener("pointerdown", paint);
  canvas.addEventListener("pointermove", paint);

  document.addEventListener("click", (event) => {
    const brush = event.target.closest("[data-brush]");
    if (brush) {
      const on = brushed.toggleAttribute("data-brushing");
      brush.setAttribute("aria-pressed", on);
    } else if (event.target.closest("[data-clear]")) {
      canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
      painted = false;
    }
  });

  document.querySelector("[data-review]").addEventListener("submit", (event) => {
    const label = event.submitter && event.submitter.value;
    document.querySelector("[data-mask]").value = painted && label === "defect" ? canvas.toDataURL("image/png") : "";
  });
}
