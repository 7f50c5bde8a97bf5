/**
 * The looks at recorded images: for each camera its entry in the journal, its lease at the centre and at the node (LAW-26,
 * LAW-27). They are renewed together until they are closed; one that ended is told, and opened again only by its owner.
 */

import { post } from "../api.js";

const RENEW_EVERY_MS = 4_000;

/**
 * @typedef {{id: string, cameraId: string, ticket: string, fromMs: number, toMs: number, receiptIndex: number|null}} Look
 */

/** The looks of one screen: one for each camera. */
export class Looks {
  #on;
  #looks = new Map();
  #timer = 0;

  /**
   * @param {{renewed: (look: Look) => void, ended: (look: Look, cause: string) => void}} on `ended`: the centre refuses to
   *   go on
   */
  constructor(on) {
    this.#on = on;
    this.#timer = window.setInterval(() => this.renew(), RENEW_EVERY_MS);
  }

  /** The look at a camera. @param {string} cameraId @returns {Look|undefined} */
  of(cameraId) {
    return this.#looks.get(cameraId);
  }

  /** Every look. @returns {Look[]} */
  get all() {
    return [...this.#looks.values()];
  }

  /**
   * Open a look: the entry is in the journal when this resolves. It takes the place of the camera's former one.
   * @param {{cameraId: string, fromMs: number, toMs: number, reason: {code: string, note: string}}} what
   * @returns {Promise<Look>}
   * @throws {import("../api.js").ApiError}
   */
  async open({ cameraId, fromMs, toMs, reason }) {
    const session = await post("/api/playback-sessions", {
      camera: cameraId,
      from: new Date(fromMs).toISOString(),
      to: new Date(toMs).toISOString(),
      purpose: reason.code,
      note: reason.note,
    });
    this.close(cameraId);
    const receiptIndex = session.receipt?.index ?? null;
    const look = { id: session.session_id, cameraId, ticket: session.ticket, fromMs, toMs, receiptIndex };
    this.#looks.set(cameraId, look);
    return look;
  }

  /** End the look at a camera; the call outlives the page. @param {string} cameraId */
  close(cameraId) {
    const look = this.#looks.get(cameraId);
    if (!look) return;
    this.#looks.delete(cameraId);
    sendClose([look]);
  }

  /** End them all. */
  closeAll() {
    sendClose(this.all);
    this.#looks.clear();
  }

  /** End them all, for good. */
  stop() {
    clearInterval(this.#timer);
    this.closeAll();
  }

  /** Renew now. */
  async renew() {
    if (this.#looks.size === 0) return;
    const byId = new Map(this.all.map((look) => [look.id, look]));
    try {
      const { sessions = [], ended = [] } = await post("/api/playback-sessions/renew", { sessions: [...byId.keys()] });
      for (const { session_id: id, ticket } of sessions) {
        const look = byId.get(id);
        if (!look) continue;
        look.ticket = ticket;
        if (this.#looks.get(look.cameraId) === look) this.#on.renewed(look);
      }
      for (const { session_id: id, cause } of ended) this.#finish(byId.get(id), cause);
    } catch (error) {
      if (error.status === 503) for (const look of byId.values()) this.#finish(look, error.code);
    }
  }

  #finish(look, cause) {
    if (!look || this.#looks.get(look.cameraId) !== look) return;
    this.#looks.delete(look.cameraId);
    this.#on.ended(look, cause);
  }
}

function sendClose(looks) {
  if (looks.length === 0) return;
  post("/api/playback-sessions/close", { sessions: looks.map((look) => look.id) }, { keepalive: true }).catch(() => {});
}
