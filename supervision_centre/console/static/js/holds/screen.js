/** Judicial holds: what is kept, on what requisition, until when; and what was destroyed (LAW-09, LAW-10). */

import { get, post } from "../api.js";
import { may } from "../session.js";
import { confirmAction } from "../ui/dialog.js";
import { fill, h } from "../ui/dom.js";
import { plural, size } from "../ui/format.js";
import { passingNotice } from "../ui/notices.js";
import { askCertificate } from "./certificate.js";
import { askHold, askReleaseReason, filledFrom, holdRequest } from "./form.js";
import { holdRow } from "./row.js";
import { rangeText } from "./words.js";

const REFRESH_MS = 15_000;
const COLUMNS = ["Caméra", "Images", "Réquisition", "Conservé", "Jusqu’au", "État", ""];

/**
 * Show the holds.
 * @param {HTMLElement} place
 * @param {URLSearchParams} parameters `camera`, `from`, `to`: open the form of a hold with these values
 * @returns {import("../router.js").Mounted}
 */
export function mountHolds(place, parameters) {
  const screen = new HoldsScreen(place);
  screen.start(parameters);
  return { unmount: () => screen.stop(), update: (next) => screen.propose(next) };
}

class HoldsScreen {
  #rows = h("tbody", {});
  #table = h(
    "table",
    { class: "table", "aria-label": "Conservations" },
    h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col", text: name })))),
    this.#rows,
  );
  #empty = h("div", { class: "empty", hidden: true });
  #scroller = h("div", { class: "table-scroll" }, this.#table, this.#empty);
  #strangers = h("div", { class: "alert", role: "alert", hidden: true });
  #place = h("button", { class: "button button--primary", type: "button", hidden: true, text: "Conserver des images…", on: { click: () => this.#ask({}) } });
  #certificate = h("button", { class: "button", type: "button", disabled: true, text: "Certificat de destruction…", on: { click: () => askCertificate(this.#cameras) } });
  #tabs = [this.#tab("En cours", false), this.#tab("Terminées", true)];
  #ended = false;
  #asked = 0;
  #bases = [];
  #cameras = [];
  #stopped = false;
  #timer = 0;

  constructor(place) {
    const lists = may("hold.list");
    fill(
      place,
      h(
        "section",
        { class: "sheet" },
        h(
          "header",
          { class: "sheet__head" },
          h("h1", { text: lists ? "Conservations" : "Destruction des images" }),
          h("p", { class: "note", text: lists ? "Images retenues sur réquisition, au-delà de leur durée. Une levée demande deux personnes." : "Ce qui a été enregistré, ce qui en est détruit, quand et pourquoi." }),
        ),
        lists ? this.#listParts() : h("div", { class: "empty" }, h("p", { text: "Un certificat s’établit pour une caméra et une journée passée." }), this.#certificate),
      ),
    );
    if (lists) this.#timer = window.setInterval(() => !document.hidden && this.#load(), REFRESH_MS);
  }

  #listParts() {
    this.#markTab();
    return [
      h(
        "div",
        { class: "sheet__tools" },
        h("div", { class: "tabs", role: "group", "aria-label": "Conservations à montrer" }, this.#tabs),
        h("div", { class: "sheet__acts" }, this.#certificate, this.#place),
      ),
      this.#strangers,
      this.#scroller,
    ];
  }

  async start(parameters) {
    try {
      const { cameras } = await get("/api/cameras");
      this.#cameras = cameras;
      this.#certificate.disabled = false;
    } catch (error) {
      if (this.#stopped || error.status === 401) return;
      this.#show([], error.text);
      if (!may("hold.list")) passingNotice(error.text, { fault: true });
      return;
    }
    await this.#load();
    this.propose(parameters);
  }

  /** Open the form for the images that an address names. */
  propose(parameters) {
    if (!this.#stopped && parameters.get("camera") && !this.#place.hidden) this.#ask(filledFrom(parameters));
  }

  stop() {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  #tab(label, ended) {
    return h("button", { class: "tab", type: "button", text: label, on: { click: () => this.#choose(ended) } });
  }

  #choose(ended) {
    this.#ended = ended;
    this.#markTab();
    this.#load();
  }

  #markTab() {
    this.#tabs.forEach((tab, index) => tab.setAttribute("aria-pressed", String(Boolean(index) === this.#ended)));
  }

  async #load() {
    if (!may("hold.list")) return;
    const mine = (this.#asked += 1);
    this.#scroller.setAttribute("aria-busy", "true");
    try {
      const answer = await get("/api/holds", this.#ended ? { ended: "true" } : {});
      if (mine !== this.#asked || this.#stopped) return;
      this.#bases = answer.bases;
      this.#place.hidden = !answer.may_hold;
      this.#showStrangers(answer.strangers);
      this.#show(answer.holds);
    } catch (error) {
      if (mine === this.#asked && !this.#stopped && error.status !== 401) this.#show([], error.text);
    } finally {
      if (mine === this.#asked) this.#scroller.removeAttribute("aria-busy");
    }
  }

  #show(holds, problem = "") {
    const focused = this.#focused();
    fill(this.#rows, holds.map((hold) => holdRow(hold, { ask: (one) => this.#askRelease(one), withdraw: (one) => this.#withdraw(one), confirm: (one) => this.#confirm(one) })));
    this.#restoreFocus(focused);
    this.#table.hidden = holds.length === 0;
    this.#empty.hidden = holds.length > 0;
    const nothing = this.#ended ? "Aucune conservation n’a encore pris fin." : "Aucune image n’est retenue au-delà de sa durée de conservation.";
    fill(
      this.#empty,
      h("p", { text: problem || nothing }),
      problem && h("button", { class: "button", type: "button", text: "Réessayer", on: { click: () => this.start(new URLSearchParams()) } }),
    );
  }

  /** The list is made anew now and then: the keyboard must not lose its place. */
  #focused() {
    const row = document.activeElement?.closest?.("[data-hold]");
    return row && this.#rows.contains(row) ? [row.dataset.hold, document.activeElement.getAttribute("aria-label")] : null;
  }

  #restoreFocus(focused) {
    if (!focused) return;
    const row = this.#rows.querySelector(`[data-hold="${CSS.escape(focused[0])}"]`);
    const same = [...(row?.querySelectorAll("button") ?? [])].find((one) => one.getAttribute("aria-label") === focused[1]);
    same?.focus();
  }

  #showStrangers(strangers) {
    this.#strangers.hidden = strangers.length === 0;
    if (strangers.length === 0) return;
    fill(
      this.#strangers,
      h("p", { text: `L’enregistreur retient ${plural(strangers.length, "conservation")} que le centre ne connaît pas. Elles restent en place\u00a0; prévenez l’exploitant.` }),
      h("ul", {}, strangers.map((one) => h("li", { class: "figures", text: `${one.camera_name}, ${rangeText(one)}, réquisition ${one.reference}` }))),
    );
  }

  async #ask(filled, problem = "") {
    const typed = await askHold({ cameras: this.#cameras, bases: this.#bases, filled, problem });
    if (!typed || this.#stopped) return;
    try {
      const hold = await post("/api/holds", holdRequest(typed));
      const fault = Boolean(hold.warning);
      passingNotice(fault ? `Conservation inscrite au journal. ${hold.warning}` : `Conservation en place\u00a0: ${size(hold.held?.bytes ?? 0)} retenus.`, { fault });
      this.#choose(false);
    } catch (error) {
      if (error.status !== 401 && !this.#stopped) await this.#ask(typed, error.text ?? "La conservation n’a pas pu être placée.");
    }
  }

  async #askRelease(hold) {
    const reason = await askReleaseReason(hold);
    if (reason) await this.#act(hold, "release", { reason }, "Levée demandée\u00a0: une autre personne doit la confirmer.");
  }

  async #withdraw(hold) {
    const sure = await confirmAction({
      title: "Retirer la demande de levée\u202f?",
      text: "Les images restent conservées jusqu’à leur terme. L’acte est inscrit au journal.",
      confirm: "Retirer la demande",
    });
    if (sure) await this.#act(hold, "release/withdraw", {}, "La demande de levée est retirée.");
  }

  async #confirm(hold) {
    const sure = await confirmAction({
      title: "Confirmer la levée\u202f?",
      text: `${hold.camera_name}, réquisition ${hold.reference}, demandée par ${hold.asked_by} («\u00a0${hold.ask_reason}\u00a0»). Les images dont la durée est passée sont détruites\u00a0: cela ne peut pas être annulé.`,
      confirm: "Lever la conservation",
      danger: true,
    });
    if (sure) await this.#act(hold, "release/confirm", {}, "La conservation est levée.");
  }

  async #act(hold, verb, body, done) {
    try {
      const changed = await post(`/api/holds/${encodeURIComponent(hold.id)}/${verb}`, body);
      passingNotice(changed.standing ? done : changed.warning || done, { fault: !changed.standing && Boolean(changed.warning) });
    } catch (error) {
      if (error.status !== 401) passingNotice(error.text ?? "L’opération a échoué.", { fault: true });
    }
    if (!this.#stopped) await this.#load();
  }
}
