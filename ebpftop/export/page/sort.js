"use strict";
// Makes every table with more than one row sortable: greatest first, then least first. Without a script all stays as it is.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  if (body.rows.length < 2) continue;
  heads.forEach((head, at) => {
    if (!head.textContent) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => {
        const cell = row.cells[at];
        return cell.dataset.v === undefined ? null : Number(cell.dataset.v);
      };
      const compare = (a, b) => {
        const x = key(a), y = key(b);
        if (x !== null && y !== null) return y - x;
        if (x !== null || y !== null) return x === null ? 1 : -1;
        return a.cells[at].textContent.localeCompare(b.cells[at].textContent);
      };
      const rows = [...body.rows].sort((a, b) => (up ? -compare(a, b) : compare(a, b)));
      body.append(...rows);
    });
  });
}
// What is folded away is printed too.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => (each.open = true)));
