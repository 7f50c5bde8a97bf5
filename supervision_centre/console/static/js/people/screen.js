/** The people: who has an account, and its suspension at once (LAW-15, LAW-17). */

import { get, post } from "../api.js";
import { currentPerson, may } from "../session.js";
import { confirmAction } from "../ui/dialog.js";
import { fill, h } from "../ui/dom.js";
import { dateTime } from "../ui/format.js";
import { passingNotice } from "../ui/notices.js";
import { tableSheet } from "../ui/sheet.js";

const COLUMNS = ["Personne", "Rôle", "Territoire", "État", ""];

const suspendedAt = (person) => person.suspended_at ?? null;
const isSuspended = (person) => Boolean(suspendedAt(person)) || person.suspended === true || person.state === "suspended";

const named = (text) => (/^(\d{2,3}|2[AB])$/.test(text) ? `Département ${text}` : text);

function territory(person) {
  const names = person.territories ?? person.communes ?? [];
  return names.map((one) => (typeof one === "string" ? one : (one.name ?? one.code))).map(named).join(", ");
}

/**
 * Show the people.
 * @param {HTMLElement} place
 * @returns {import("../router.js").Mounted}
 */
export function mountPeople(place) {
  const { table, rows, empty } = tableSheet(place, {
    title: "Personnes",
    note: "Une suspension met fin aux consultations en cours et ferme la session.",
    label: "Personnes",
    columns: COLUMNS,
  });
  let stopped = false;
  load();

  async function load() {
    try {
      const { people } = await get("/api/people");
      if (!stopped) show(people);
    } catch (error) {
      if (!stopped && error.status !== 401) show([], error.text);
    }
  }

  function show(people, problem = "") {
    fill(rows, people.map(row));
    table.hidden = people.length === 0;
    empty.hidden = people.length > 0;
    fill(
      empty,
      h("p", { text: problem || "Aucune personne dans votre périmètre." }),
      problem && h("button", { class: "button", type: "button", text: "Réessayer", on: { click: load } }),
    );
  }

  function row(person) {
    const suspended = isSuspended(person);
    const at = suspendedAt(person);
    return h(
      "tr",
      { data: { person: person.id } },
      h("td", {}, h("span", { class: "cell__main", text: person.name }), h("span", { class: "cell__more", text: person.login ?? "" })),
      h("td", { text: person.role_label ?? person.role }),
      h("td", { text: territory(person) }),
      h(
        "td",
        {},
        h("span", { class: suspended ? "state state--off" : "state", text: suspended ? "Compte suspendu" : "En fonction" }),
        at && h("span", { class: "cell__more figures", text: `depuis le ${dateTime(Date.parse(at))}` }),
      ),
      h("td", { class: "cell--end" }, may("people.suspend") && person.id !== currentPerson()?.person.id && actionButton(person, suspended)),
    );
  }

  function actionButton(person, suspended) {
    return h("button", {
      class: suspended ? "button" : "button button--danger",
      type: "button",
      "aria-label": `${suspended ? "Rétablir" : "Suspendre"} ${person.name}`,
      text: suspended ? "Rétablir" : "Suspendre",
      on: { click: () => (suspended ? restore(person) : suspend(person)) },
    });
  }

  async function suspend(person) {
    const sure = await confirmAction({
      title: `Suspendre ${person.name}\u202f?`,
      text: "Ses images s’arrêtent en quelques secondes et sa session est fermée. L’acte est inscrit au journal.",
      confirm: "Suspendre",
      danger: true,
    });
    if (sure) await act(person, "suspend", `Le compte de ${person.name} est suspendu.`, () => act(person, "restore", "Suspension annulée."));
  }

  async function restore(person) {
    const sure = await confirmAction({
      title: `Rétablir ${person.name}\u202f?`,
      text: "Cette personne pourra de nouveau se connecter. L’acte est inscrit au journal.",
      confirm: "Rétablir",
    });
    if (sure) await act(person, "restore", `Le compte de ${person.name} est rétabli.`);
  }

  async function act(person, verb, done, undo) {
    try {
      await post(`/api/people/${encodeURIComponent(person.id)}/${verb}`);
      passingNotice(done, { undo });
    } catch (error) {
      passingNotice(error.text ?? "L’opération a échoué.", { fault: true });
    }
    if (!stopped) await load();
  }

  return {
    unmount() {
      stopped = true;
    },
  };
}
