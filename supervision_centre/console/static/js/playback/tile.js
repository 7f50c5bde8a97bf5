/** One camera of a playback: whose image it is, from which instant, and over the picture, when there is none, why. */

import { fill, h, icon, setText } from "../ui/dom.js";
import { clockTime, dateTime, duration, preciseTime, shortDate, utcTime } from "../ui/format.js";
import { causeSentence } from "../wall/causes.js";
import { causeLabel } from "./timeline.js";

const LOADING_SHOWN_MS = 350;
const STICKS = "what was found at the instant that was asked";
const BEFORE_GAP_MS = 1_000;
const UNSAID = new Set(["nothing", "outside"]);

const TITLES = {
  loading: "Chargement des images…",
  gap: "Rien d’enregistré à cet instant",
  nothing: "Rien d’enregistré à cet instant",
  outside: "Hors de la période consultée",
  damaged: "Images endommagées",
  unsupported: "Ce navigateur ne sait pas lire le format de cette caméra.",
  ended: "Consultation terminée",
  resuming: "Reprise de la lecture…",
  refused: "Consultation refusée",
  idle: "Choisissez un instant sur la ligne de temps.",
};

/** The view of one camera. */
export class PlaybackTile {
  #camera;
  #on;
  #number = h("span", { class: "review-tile__number figures", hidden: true, "aria-hidden": "true" });
  #day = h("span", { class: "review-tile__day figures" });
  #time = h("time", { class: "review-tile__time figures" });
  #badge = h("span", { class: "review-tile__badge", hidden: true, text: "Chargement…" });
  #title = h("p", { class: "review-tile__title" });
  #why = h("p", { class: "review-tile__why" });
  #actions = h("div", { class: "review-tile__actions" });
  #cover;
  #place = h("div", { class: "review-tile__picture" });
  #condition = "";
  #since = 0;
  #said = "";

  /**
   * @param {any} camera as the API lists it
   * @param {HTMLElement} picture where the picture is drawn
   * @param {{activate: () => void, remove: () => void, go: (ms: number) => void}} on
   */
  constructor(camera, picture, on) {
    this.#camera = camera;
    this.#on = on;
    this.#cover = h("div", { class: "review-tile__cover" }, this.#title, this.#why, this.#actions);
    this.#place.append(picture, this.#cover);
    /** @type {HTMLElement} */
    this.element = h(
      "article",
      { class: "review-tile", tabIndex: 0, data: { review: camera.id }, "aria-label": `${camera.name}, ${camera.commune_name}`,
        on: { pointerdown: on.activate, focus: on.activate } },
      h(
        "header",
        { class: "review-tile__caption", title: [camera.name, camera.commune_name, camera.authority].filter(Boolean).join(" · ") },
        this.#number,
        h("span", { class: "review-tile__name", text: camera.name }),
        h("span", { class: "review-tile__commune", text: camera.commune_name }),
        h("span", { class: "review-tile__authority", text: camera.authority ? `Autorité\u00a0: ${camera.authority}` : "" }),
        this.#badge,
        this.#day,
        this.#time,
        h("button", { class: "review-tile__close", type: "button", title: "Retirer cette caméra", "aria-label": `Retirer ${camera.name}`,
          on: { click: on.remove } }, icon("close")),
      ),
      this.#place,
    );
    this.show("idle");
  }

  /** Its place among several, or 0 when it is alone. @param {number} number */
  setNumber(number) {
    this.#number.hidden = number === 0;
    setText(this.#number, number === 0 ? "" : String(number));
  }

  /** Whether steps and stills are those of this camera. @param {boolean} value */
  setActive(value) {
    this.element.classList.toggle("review-tile--active", value);
  }

  /**
   * Show a condition; only `shown` leaves the picture uncovered, and `loading` one that is already there.
   * @param {string} condition
   * @param {any} [details] of the condition: a gap, a cause, an error
   */
  show(condition, details = {}) {
    const atMs = performance.now();
    if (condition !== this.#condition) this.#since = atMs;
    this.#condition = condition;
    const waits = condition === "loading" && atMs - this.#since > LOADING_SHOWN_MS;
    const picture = condition === "shown" || (condition === "loading" && this.#time.textContent !== "");
    this.element.dataset.condition = condition;
    this.#badge.hidden = !(waits && picture);
    this.#cover.hidden = picture;
    if (!picture) this.#tell(condition, details);
    if (!picture && condition !== "loading") this.setShown(null);
  }

  /** The instant of the picture, or null. @param {number|null} ms */
  setShown(ms) {
    if (ms === null) {
      setText(this.#time, "");
      setText(this.#day, "");
      delete this.element.dataset.shownUtc;
      delete this.element.dataset.shownMs;
      return;
    }
    if (this.element.dataset.shownMs === String(ms)) return;
    this.element.dataset.shownMs = String(ms);
    this.element.dataset.shownUtc = new Date(ms).toISOString();
    setText(this.#time, preciseTime(ms));
    setText(this.#day, shortDate(ms));
    this.#time.title = utcTime(ms);
  }

  /**
   * Nothing is recorded at the instant that was asked.
   * @param {number} ms
   * @param {{gap: any, nextMs: number|null, previousMs: number|null}} found
   */
  showNothing(ms, { gap, nextMs, previousMs }) {
    this.show("nothing", {});
    this.#said = STICKS;
    setText(this.#title, `Rien n’est enregistré le ${dateTime(ms)}`);
    setText(this.#why, gap ? `${gap.label || causeLabel(gap.cause)} (${duration(gap.endMs - gap.startMs)})` : "");
    this.#offer(previousMs, nextMs);
  }

  #offer(previousMs, nextMs) {
    const button = (text, target) =>
      target !== null && h("button", { class: "button", type: "button", text: `${text} (${clockTime(target)})`, on: { click: () => this.#on.go(target) } });
    fill(this.#actions, button("Images précédentes", previousMs), button("Images suivantes", nextMs));
  }

  #tell(condition, details) {
    const key = `${condition} ${details.cause ?? ""} ${details.code ?? ""} ${details.startMs ?? ""} ${details.label ?? ""}`;
    if (key === this.#said || (this.#said === STICKS && UNSAID.has(condition))) return;
    this.#said = key;
    setText(this.#title, TITLES[condition] ?? TITLES.loading);
    setText(this.#why, sentence(condition, details));
    if (condition === "gap") this.#offer(details.startMs - BEFORE_GAP_MS, details.endMs);
    else fill(this.#actions);
  }
}

function sentence(condition, details) {
  if (condition === "gap") return `${details.label || causeLabel(details.cause)}, de ${clockTime(details.startMs)} à ${clockTime(details.endMs)} (${duration(details.endMs - details.startMs)})`;
  if (condition === "damaged" && details.startMs) return `Images illisibles de ${clockTime(details.startMs)} à ${clockTime(details.endMs)}. Prévenez l’administrateur.`;
  if (details.text) return details.text;
  if (details.message) return `${details.message} ${details.hint ?? ""}`.trim();
  if (condition === "ended" || condition === "resuming") return causeSentence(details.cause);
  if (condition === "unsupported") return "Ouvrez cette caméra dans un autre navigateur, ou demandez une exportation.";
  return "";
}
