/** A screen that is one table under a title. */

import { fill, h } from "./dom.js";

/**
 * Show a sheet with an empty table.
 * @param {HTMLElement} place
 * @param {{title: string, note: string, label: string, columns: string[], hidden?: boolean}} words the title, a sentence
 *   beside it, the name of the table and those of its columns; `hidden` keeps the table away until it has rows
 * @returns {{table: HTMLElement, rows: HTMLElement, empty: HTMLElement}} the table, its body, and what stands in its place
 */
export function tableSheet(place, { title, note, label, columns, hidden = false }) {
  const rows = h("tbody", {});
  const table = h(
    "table",
    { class: "table", "aria-label": label, hidden },
    h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col", text: name })))),
    rows,
  );
  const empty = h("div", { class: "empty", hidden: true });
  fill(
    place,
    h(
      "section",
      { class: "sheet" },
      h("header", { class: "sheet__head" }, h("h1", { text: title }), h("p", { class: "note", text: note })),
      h("div", { class: "table-scroll" }, table, empty),
    ),
  );
  return { table, rows, empty };
}
