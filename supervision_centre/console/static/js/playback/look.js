/**
 * One look at recorded images: its entry in the journal, its lease at the centre and at the node (LAW-26, LAW-27).
 */

import { post } from "../api.js";

const RENEW_EVERY_MS = 4_000;

/** A playback session that renews itself until it is closed. */
export class Look {
  #mediaUrl;
  #ended;
  #timer = 0;
  #ticket;

  /**
   * @param {any} session the centre's answer
   * @param {{cameraId: string, fromMs: number, toMs: number}} what
   * @param {{mediaUrl: string, ended: (cause: string) => void}} options `ended`: the centre refuses to go on
   */
  constructor(session, what, { mediaUrl, ended }) {
    this.#mediaUrl = mediaUrl.replace(/\/$/, "");
    this.#ended = ended;
    this.#ticket = session.ticket;
    this.id = session.session_id;
    this.receiptIndex = session.receipt?.index ?? null;
    this.cameraId = what.cameraId;
    this.fromMs = what.fromMs;
    this.toMs = what.toMs;
    this.#timer = window.setInterval(() => this.#renew(), RENEW_EVERY_MS);
  }

  /**
   * Open a look: the entry is in the journal when this resolves.
   * @param {{cameraId: string, fromMs: number, toMs: number, reason: {code: string, note: string}}} what
   * @param {{mediaUrl: string, ended: (cause: string) => void}} options
   * @returns {Promise<Look>}
   * @throws {import("../api.js").ApiError}
   */
  static async open(what, options) {
    const session = await post("/api/playback-sessions", {
      camera: what.cameraId,
      from: new Date(what.fromMs).toISOString(),
      to: new Date(what.toMs).toISOString(),
      purpose: what.reason.code,
      note: what.reason.note,
    });
    return new Look(session, what, options);
  }

  /** The newest ticket. @returns {string} */
  get ticket() {
    return this.#ticket;
  }

  /** Whether this look holds an instant of a camera. @param {string} cameraId @param {number} ms @returns {boolean} */
  holds(cameraId, ms) {
    return this.cameraId === cameraId && this.fromMs <= ms && ms < this.toMs - 1000;
  }

  /** End it; the call outlives the page. */
  close() {
    clearInterval(this.#timer);
    post("/api/playback-sessions/close", { sessions: [this.id] }, { keepalive: true }).catch(() => {});
  }

  async #renew() {
    try {
      const { sessions = [], ended = [] } = await post("/api/playback-sessions/renew", { sessions: [this.id] });
      const renewed = sessions.find((one) => one.session_id === this.id);
      if (renewed) {
        this.#ticket = renewed.ticket;
        await this.#tellNode();
      } else this.#finish(ended[0]?.cause ?? "lease_expired");
    } catch (error) {
      if (error.status === 503) this.#finish(error.code);
    }
  }

  async #tellNode() {
    await fetch(`${this.#mediaUrl}/playback/renew`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ticket: this.#ticket }),
    }).catch(() => {});
  }

  #finish(cause) {
    clearInterval(this.#timer);
    this.#ended(cause);
  }
}
