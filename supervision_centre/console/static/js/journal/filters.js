/** What is searched in the journal. */

import { now } from "../session.js";
import { fill, h, icon } from "../ui/dom.js";
import { parseLocal, toLocalField } from "../ui/format.js";

const HOUR = 3_600_000;
const OPERATIONS = [
  ["consultation", "Consultation"],
  ["communication", "Communication"],
  ["modification", "Modification"],
  ["collection", "Collecte"],
  ["erasure", "Effacement"],
  ["technical", "Technique"],
];
const PERIODS = [
  ["", "Toute la durée"],
  [String(HOUR), "Dernière heure"],
  [String(24 * HOUR), "Dernières 24 heures"],
  [String(7 * 24 * HOUR), "7 derniers jours"],
  ["between", "Entre deux dates…"],
];

const options = (pairs) => pairs.map(([value, text]) => h("option", { value, text }));
const field = (label, control, extra = {}) =>
  h("label", { class: "field", ...extra }, h("span", { class: "field__label", text: label }), control);

/** The form of filters. */
export class Filters {
  #people = h("select", { class: "input", name: "person" });
  #camera = h("select", { class: "input", name: "camera" });
  #commune = h("select", { class: "input", name: "commune" });
  #operation = h("select", { class: "input", name: "operation" }, options([["", "Toutes"], ...OPERATIONS]));
  #period = h("select", { class: "input", name: "period", on: { change: () => this.#showDates() } }, options(PERIODS));
  #from = h("input", { class: "input", type: "datetime-local", name: "from" });
  #to = h("input", { class: "input", type: "datetime-local", name: "to" });
  #requisition = h("input", { class: "input", type: "search", name: "requisition", maxLength: 120, autocomplete: "off", placeholder: "Référence exacte" });
  #requisitionField = field("Réquisition", this.#requisition, { hidden: true });
  #dates;

  /** @param {{search: () => void}} on */
  constructor(on) {
    this.setPeople([]);
    this.setCameras([]);
    this.#dates = [field("Du", this.#from, { hidden: true }), field("Au", this.#to, { hidden: true })];
    /** @type {HTMLFormElement} */
    this.element = h(
      "form",
      {
        class: "filters", role: "search", "aria-label": "Filtres du journal",
        on: {
          submit: (event) => {
            event.preventDefault();
            on.search();
          },
        },
      },
      field("Personne", this.#people),
      field("Caméra", this.#camera),
      field("Commune", this.#commune),
      field("Opération", this.#operation),
      this.#requisitionField,
      field("Période", this.#period),
      this.#dates,
      h("button", { class: "button button--primary", type: "submit" }, icon("search"), "Rechercher"),
    );
  }

  /** @param {Array<{id: string, name: string}>} people */
  setPeople(people) {
    const chosen = this.#people.value;
    fill(this.#people, options([["", "Toutes"], ...people.map((one) => [one.id, one.name])]));
    this.#people.value = people.some((one) => one.id === chosen) ? chosen : "";
  }

  /** @param {any[]} cameras */
  setCameras(cameras) {
    const communes = new Map(cameras.map((camera) => [camera.commune, camera.commune_name]));
    fill(this.#camera, options([["", "Toutes"], ...cameras.map((one) => [one.id, `${one.name} (${one.commune_name})`])]));
    fill(this.#commune, options([["", "Toutes"], ...communes]));
  }

  /** Whether this person may search by requisition, as the centre says. @param {boolean} offered */
  offerRequisition(offered) {
    this.#requisitionField.hidden = !offered;
  }

  /** The query of the API. @returns {Record<string, string>} */
  query() {
    const period = this.#period.value;
    const between = period === "between";
    const fromMs = between ? parseLocal(this.#from.value) : period ? now() - Number(period) : null;
    const toMs = between ? parseLocal(this.#to.value) : null;
    return {
      person: this.#people.value,
      camera: this.#camera.value,
      commune: this.#commune.value,
      operation: this.#operation.value,
      requisition: this.#requisition.value.trim(),
      from: fromMs === null ? "" : new Date(fromMs).toISOString(),
      to: toMs === null ? "" : new Date(toMs).toISOString(),
    };
  }

  #showDates() {
    const between = this.#period.value === "between";
    for (const element of this.#dates) element.hidden = !between;
    if (between && !this.#from.value) {
      this.#from.value = toLocalField(now() - 24 * HOUR);
      this.#to.value = toLocalField(now());
    }
  }
}
