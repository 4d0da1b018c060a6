"use strict";
// Sorting and filtering of the table of all captures. Without script the table is simply complete.
(() => {
  const table = document.getElementById("all");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const collator = new Intl.Collator("en", { numeric: true });
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
  };
  const compare = (a, b) => (typeof a === "number" ? a - b : collator.compare(a, b));

  const heads = Array.from(table.tHead.rows[0].cells);
  const sort = (column, descending) => {
    heads.forEach((head, i) => {
      if (i === column) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    rows.sort((a, b) => (descending ? -1 : 1) * compare(key(a, column), key(b, column)));
    body.append(...rows);
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(column, head.getAttribute("aria-sort") === "ascending"));
    head.append(button);
  });

  const form = document.querySelector(".filters");
  const filter = () => {
    const outcome = form.elements.outcome.value;
    const defect = form.elements.defect.value;
    let shown = 0;
    for (const row of rows) {
      const fits =
        (!outcome || row.dataset.outcome === outcome) && (!defect || row.dataset.defects.split(" ").includes(defect));
      row.hidden = !fits;
      shown += fits;
    }
    form.querySelector("output").textContent = `${shown} of ${rows.length} captures`;
  };
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.reset();
  form.hidden = false;
  filter();
  sort(2, true);
})();
