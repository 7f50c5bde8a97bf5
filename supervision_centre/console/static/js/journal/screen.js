/**
 * The journal of accesses: who looked at what, when and why, each entry with its proof (LAW-25, LAW-30); the export
 * journal (LAW-42); the monthly report of a commune; exports for an inspection (LAW-31).
 */

import { may } from "../session.js";
import { fill, h, icon } from "../ui/dom.js";
import { mountCommunications } from "./communications.js";
import { mountEntries } from "./entries.js";
import { askExport, askInventory } from "./export.js";
import { mountReports } from "./reports.js";

const VIEWS = [
  { name: "entrees", title: "Entrées", mount: mountEntries },
  { name: "exports", title: "Exports d’images", mount: mountCommunications },
  { name: "rapports", title: "Rapports mensuels", mount: mountReports },
];

/**
 * Show the journal.
 * @param {HTMLElement} place
 * @param {URLSearchParams} parameters `vue`: which part
 * @returns {import("../router.js").Mounted}
 */
export function mountJournal(place, parameters) {
  const body = h("div", { class: "sheet__body" });
  const tabs = VIEWS.map((view) =>
    h("button", { class: "tab", type: "button", text: view.title, on: { click: () => choose(view) } }),
  );
  let mounted = null;
  fill(
    place,
    h(
      "section",
      { class: "sheet" },
      h(
        "header",
        { class: "sheet__head" },
        h("h1", { text: "Journal des accès" }),
        h("p", { class: "note", text: "Chaque consultation de ce journal y est elle-même inscrite." }),
      ),
      h(
        "div",
        { class: "sheet__tools" },
        h("div", { class: "tabs", role: "group", "aria-label": "Parties du journal" }, tabs),
        h(
          "div",
          { class: "sheet__acts" },
          may("inventory") && h("button", { class: "button", type: "button", on: { click: () => askInventory() } }, "Réglages et listes…"),
          h("button", { class: "button", type: "button", on: { click: () => askExport() } }, icon("download"), "Exporter une période…"),
        ),
      ),
      body,
    ),
  );
  show(parameters);

  function show(next) {
    choose(VIEWS.find((view) => view.name === next.get("vue")) ?? VIEWS[0]);
  }

  function choose(view) {
    mounted?.unmount();
    body.replaceChildren();
    tabs.forEach((tab, index) => tab.setAttribute("aria-pressed", String(VIEWS[index] === view)));
    mounted = view.mount(body);
  }

  return { unmount: () => mounted?.unmount(), update: show };
}
