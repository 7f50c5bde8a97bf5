/** One hold: its row, its details, what may be done with it. */

import { get } from "../api.js";
import { now } from "../session.js";
import { openDrawer } from "../ui/dialog.js";
import { h } from "../ui/dom.js";
import { dateTime, number, shortDate, size } from "../ui/format.js";
import { passingNotice } from "../ui/notices.js";
import { lengthText, rangeText, remaining, stateClass } from "./words.js";

/**
 * The row of a hold.
 * @param {any} hold
 * @param {{ask: (hold: any) => void, withdraw: (hold: any) => void, confirm: (hold: any) => void}} act
 * @returns {HTMLTableRowElement}
 */
export function holdRow(hold, act) {
  const open = () => showHold(hold);
  return h(
    "tr",
    { class: "row", data: { hold: hold.id }, on: { click: open } },
    h(
      "td",
      {},
      h("button", { class: "cell__open", type: "button", "aria-label": `Détails de la conservation, ${hold.camera_name}`, on: { click: (event) => only(event, open) }, text: hold.camera_name }),
      h("span", { class: "cell__more", text: hold.commune_name }),
    ),
    h("td", { class: "figures" }, h("span", { class: "cell__main", text: rangeText(hold) }), h("span", { class: "cell__more", text: lengthText(hold) })),
    h("td", {}, h("span", { class: "cell__main", text: hold.reference }), h("span", { class: "cell__more", text: hold.authority })),
    h("td", { class: "figures cell--nowrap", text: hold.held ? size(hold.held.bytes) : "—" }),
    h("td", { class: "figures cell--nowrap" }, untilCell(hold)),
    h(
      "td",
      { class: "cell--state" },
      h("span", { class: stateClass(hold), text: hold.state_label }),
      h("span", { class: hold.warning ? "cell__more cell__more--caution" : "cell__more", text: hold.warning || byWhom(hold) }),
    ),
    h("td", { class: "cell--end cell--nowrap" }, buttons(hold, act)),
  );
}

function only(event, run) {
  event.stopPropagation();
  run();
}

function untilCell(hold) {
  if (!hold.standing) return [h("span", { class: "cell__main", text: shortDate(Date.parse(hold.ended_at ?? hold.expires_at)) })];
  const until = Date.parse(hold.expires_at);
  return [h("span", { class: "cell__main", text: shortDate(until) }), h("span", { class: "cell__more", text: remaining(until, now()) })];
}

function byWhom(hold) {
  if (hold.state === "release_asked") return `demandée par ${hold.asked_by}`;
  if (hold.state === "released") return `${hold.asked_by}, puis ${hold.confirmed_by}`;
  return hold.state === "placed" ? `placée par ${hold.placed_by}` : "";
}

function buttons(hold, act) {
  if (!hold.standing || !hold.may_hold) return null;
  const button = (label, run, kind = "") =>
    h("button", {
      class: `button ${kind}`, type: "button", "aria-label": `${label}, ${hold.camera_name}`, text: label,
      on: { click: (event) => only(event, () => run(hold)) },
    });
  if (hold.state !== "release_asked") return button("Demander la levée", act.ask);
  return h(
    "div",
    { class: "cell__actions" },
    button("Retirer la demande", act.withdraw),
    hold.may_confirm && button("Confirmer la levée", act.confirm, "button--danger"),
  );
}

async function showHold(hold) {
  try {
    const { steps, ...whole } = await get(`/api/holds/${encodeURIComponent(hold.id)}`);
    openDrawer("Conservation judiciaire", [facts(whole), whole.warning && h("p", { class: "alert alert--caution", text: whole.warning }), life(steps)]);
  } catch (error) {
    if (error.status !== 401) passingNotice(error.text ?? "La conservation n’a pas pu être lue.", { fault: true });
  }
}

function facts(hold) {
  const held = hold.held?.from ? `${size(hold.held.bytes)}, ${rangeText({ from: hold.held.from, to: hold.held.to })}` : "rien";
  const rows = [
    ["Caméra", `${hold.camera_name} (${hold.commune_name})`],
    ["Autorité des images", hold.camera_authority],
    ["Images demandées", rangeText(hold)],
    ["Images conservées", hold.held ? held : "pas encore connu"],
    ["Réquisition", hold.reference],
    ["Signée par", hold.authority],
    ["Fondement", `${hold.basis_label}, ${hold.article}`],
    ["Précision", hold.reason],
    ["Jusqu’au", dateTime(Date.parse(hold.expires_at))],
    ["Placée par", `${hold.placed_by}, le ${dateTime(Date.parse(hold.placed_at))}`],
    ["Levée demandée par", hold.asked_by && `${hold.asked_by}\u00a0: ${hold.ask_reason}`],
    ["Levée confirmée par", hold.confirmed_by],
    ["Inscription", `n°\u00a0${number(hold.receipt.index)} du journal`],
  ].filter(([, value]) => value);
  return h("dl", { class: "facts facts--column" }, rows.map(([name, value]) => [h("dt", { text: name }), h("dd", { class: "figures", text: value })]));
}

function life(steps) {
  return h(
    "section",
    {},
    h("h3", { class: "life__title", text: "Historique" }),
    h(
      "ol",
      { class: "life" },
      steps.map((step) =>
        h(
          "li",
          {},
          h("span", { class: "cell__main", text: step.label }),
          h("span", { class: "cell__more figures", text: `${dateTime(Date.parse(step.at))}, ${step.person}` }),
          step.note && h("span", { class: "cell__more", text: step.note }),
        ),
      ),
    ),
  );
}
