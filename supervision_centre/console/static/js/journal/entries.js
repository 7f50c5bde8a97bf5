/** The entries of the journal: search, pages, details, proofs. */

import { get } from "../api.js";
import { may } from "../session.js";
import { announce, fill, h, icon, setText } from "../ui/dom.js";
import { plural } from "../ui/format.js";
import { clearNotice, showNotice } from "../ui/notices.js";
import { entryRow } from "./entry.js";
import { Filters } from "./filters.js";

const PAGE = 50;
const COLUMNS = ["N°", "Date et heure", "Personne", "Acte", "Caméra", "Finalité", "Preuve"];

/**
 * Show the entries.
 * @param {HTMLElement} place
 * @returns {import("../router.js").Mounted}
 */
export function mountEntries(place) {
  const filters = new Filters({ search: () => open([null]) });
  const rows = h("tbody", {});
  const empty = h("div", { class: "empty", hidden: true });
  const range = h("span", { class: "note figures" });
  const newer = turn("Plus récentes", "newer", () => open(pages.slice(0, -1)));
  const older = turn("Plus anciennes", "older", () => open([...pages, next]));
  const table = h(
    "table",
    { class: "table", "aria-label": "Entrées du journal" },
    h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col", text: name })))),
    rows,
  );
  const scroller = h("div", { class: "table-scroll" }, table, empty);
  let pages = [null];
  let next = null;
  let asked = 0;
  let stopped = false;
  const authors = new Map();
  fill(place, filters.element, scroller, h("footer", { class: "sheet__foot" }, range, h("div", { class: "pager" }, newer, older)));
  loadChoices();
  open([null]);

  function turn(label, drawing, run) {
    const parts = drawing === "newer" ? [icon(drawing), label] : [label, icon(drawing)];
    return h("button", { class: "button", type: "button", disabled: true, on: { click: run } }, parts);
  }

  async function loadChoices() {
    const [cameras, people] = await Promise.allSettled([
      get("/api/cameras"),
      may("people.list") ? get("/api/people") : Promise.resolve({ people: [] }),
    ]);
    if (stopped) return;
    if (cameras.status === "fulfilled") filters.setCameras(cameras.value.cameras);
    if (people.status === "fulfilled") {
      for (const person of people.value.people) authors.set(person.id, person);
      filters.setPeople([...authors.values()]);
    }
  }

  /** Show the last page of a path of pages: each is the index before which its entries stand. */
  async function open(path) {
    const mine = (asked += 1);
    scroller.setAttribute("aria-busy", "true");
    try {
      const answer = await get("/api/audit/entries", { ...filters.query(), before: path[path.length - 1], limit: PAGE });
      if (mine !== asked || stopped) return;
      clearNotice("audit");
      pages = path;
      next = answer.next ?? null;
      filters.offerRequisition(Boolean(answer.requisitions));
      learnAuthors(answer.entries ?? []);
      show(answer.entries ?? []);
    } catch (error) {
      if (mine !== asked || stopped || error.status === 401) return;
      if (error.code === "audit.unavailable") showNotice("audit", error.text);
      show([], error.text);
    } finally {
      if (mine === asked) scroller.removeAttribute("aria-busy");
    }
  }

  /** Those who may not list the people still choose among the authors that they have read. */
  function learnAuthors(entries) {
    const known = authors.size;
    for (const { person_id: id, person: name } of entries) if (id && !authors.has(id)) authors.set(id, { id, name });
    if (authors.size > known) filters.setPeople([...authors.values()]);
  }

  function show(entries, problem = "") {
    fill(rows, entries.map(entryRow));
    table.hidden = entries.length === 0;
    empty.hidden = entries.length > 0;
    fill(
      empty,
      h("p", { text: problem || "Aucune entrée ne correspond à ces filtres." }),
      problem && h("button", { class: "button", type: "button", text: "Réessayer", on: { click: () => open(pages) } }),
    );
    newer.disabled = pages.length < 2;
    older.disabled = next === null || entries.length === 0;
    const text = entries.length > 0 ? `${plural(entries.length, "entrée")}, page ${pages.length}` : "";
    setText(range, text);
    announce(text || problem || "Aucune entrée.");
    scroller.scrollTop = 0;
  }

  return {
    unmount() {
      stopped = true;
      clearNotice("audit");
    },
  };
}
