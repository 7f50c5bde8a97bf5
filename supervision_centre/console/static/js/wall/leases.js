/**
 * The viewing sessions of the wall: an entry in the journal for each camera before its first image, a lease of ten seconds
 * renewed while it is watched, and an end as soon as it is not (LAW-26).
 *
 * One task at a time changes the sessions, so an opening and a closing never cross. When the journal or the centre does
 * not answer, the wall is told once, its tiles stop, and the leases try again by themselves.
 */

import { post } from "../api.js";

const RENEW_EVERY_MS = 4_000;
const RETRY_FIRST_MS = 1_500;
const RETRY_LAST_MS = 12_000;

/**
 * @typedef {{session_id: string, camera: string, ticket: string, receipt: {index: number, leaf: string}}} Session
 * @typedef {object} Listener
 * @property {(session: Session) => void} opened
 * @property {(camera: string, ticket: string) => void} renewed
 * @property {(camera: string, cause: string) => void} ended
 * @property {(camera: string, error: {code: string, message: string}) => void} refused
 * @property {(error: import("../api.js").ApiError) => void} unavailable nothing can be opened for now
 * @property {() => void} recovered
 */

/** The sessions of one wall. */
export class Leases {
  #listener;
  #wanted = [];
  #sessions = new Map();
  #refused = new Set();
  #reason = null;
  #work = Promise.resolve();
  #renewTimer = 0;
  #retryTimer = 0;
  #retryMs = RETRY_FIRST_MS;
  #down = false;
  #stopped = false;

  /** @param {Listener} listener */
  constructor(listener) {
    this.#listener = listener;
    this.#renewTimer = window.setInterval(() => this.#enqueue(() => this.#renew()), RENEW_EVERY_MS);
  }

  /** The session of a camera. @param {string} camera @returns {Session|undefined} */
  session(camera) {
    return this.#sessions.get(camera);
  }

  /**
   * Watch these cameras and no others, for this reason; another reason ends the sessions of the former one.
   * @param {string[]} cameras
   * @param {{code: string, note: string}} reason
   */
  want(cameras, reason) {
    const changed = this.#reason && this.#reason.code !== reason.code;
    this.#wanted = cameras;
    this.#reason = reason;
    if (changed) this.#refused.clear();
    this.#enqueue(async () => {
      if (changed) this.#close([...this.#sessions.keys()], "closed");
      await this.#reconcile();
    });
  }

  /** Open a camera again after its session ended. @param {string} camera */
  reopen(camera) {
    this.#enqueue(async () => {
      this.#close([camera], null);
      await this.#reconcile();
    });
  }

  /** Renew now, as after a ticket that came too late. */
  renewNow() {
    this.#enqueue(() => this.#renew());
  }

  /** End every session; the calls outlive the page. */
  stop() {
    this.#stopped = true;
    clearInterval(this.#renewTimer);
    clearTimeout(this.#retryTimer);
    this.#close([...this.#sessions.keys()], null);
  }

  #enqueue(task) {
    this.#work = this.#work.then(() => (this.#stopped ? null : task())).catch((error) => console.error(error));
  }

  async #reconcile() {
    const wanted = new Set(this.#wanted);
    this.#close([...this.#sessions.keys()].filter((camera) => !wanted.has(camera)), null);
    const missing = this.#wanted.filter((camera) => !this.#sessions.has(camera) && !this.#refused.has(camera));
    if (missing.length === 0 || !this.#reason) return;
    let answer;
    try {
      answer = await post("/api/live-sessions", { cameras: missing, purpose: this.#reason.code, note: this.#reason.note });
    } catch (error) {
      this.#fail(error, missing);
      return;
    }
    if (this.#stopped) {
      sendClose(answer.sessions);
      return;
    }
    this.#recover();
    for (const session of answer.sessions ?? []) {
      this.#sessions.set(session.camera, session);
      this.#listener.opened(session);
    }
    this.#refuse(answer.refused ?? []);
  }

  #refuse(refused) {
    for (const { camera, code, message } of refused) {
      this.#refused.add(camera);
      this.#listener.refused(camera, { code, message });
    }
  }

  async #renew() {
    if (this.#sessions.size === 0) return;
    let answer;
    try {
      answer = await post("/api/live-sessions/renew", { sessions: [...this.#sessions.values()].map((one) => one.session_id) });
    } catch (error) {
      if (error.status === 503) {
        this.#close([...this.#sessions.keys()], "unavailable");
        this.#fail(error, []);
      }
      return;
    }
    const cameras = new Map([...this.#sessions.values()].map((one) => [one.session_id, one.camera]));
    for (const { session_id: id, ticket } of answer.sessions ?? []) {
      const session = this.#sessions.get(cameras.get(id));
      if (!session) continue;
      session.ticket = ticket;
      this.#listener.renewed(session.camera, ticket);
    }
    let again = false;
    for (const { session_id: id, cause } of answer.ended ?? []) {
      const camera = cameras.get(id);
      if (!camera || !this.#sessions.delete(camera)) continue;
      this.#listener.ended(camera, cause);
      again = true;
    }
    if (again) await this.#reconcile();
  }

  /** Mark a camera as one not to be opened again by itself. @param {string} camera */
  giveUp(camera) {
    this.#refused.add(camera);
    this.#sessions.delete(camera);
  }

  #close(cameras, cause) {
    const sessions = cameras.map((camera) => this.#sessions.get(camera)).filter(Boolean);
    for (const session of sessions) {
      this.#sessions.delete(session.camera);
      if (cause) this.#listener.ended(session.camera, cause);
    }
    sendClose(sessions);
  }

  #fail(error, missing) {
    if (error.status === 401) return;
    if (error.status === 0 || error.status >= 500 || error.status === 429) {
      this.#down = true;
      this.#listener.unavailable(error);
      clearTimeout(this.#retryTimer);
      const pause = Math.max(this.#retryMs * (0.5 + Math.random() / 2), error.retryAfterS * 1000);
      this.#retryTimer = window.setTimeout(() => this.#enqueue(() => this.#reconcile()), pause);
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_LAST_MS);
      return;
    }
    this.#refuse(missing.map((camera) => ({ camera, code: error.code, message: error.text })));
  }

  #recover() {
    this.#retryMs = RETRY_FIRST_MS;
    if (!this.#down) return;
    this.#down = false;
    this.#listener.recovered();
  }
}

function sendClose(sessions = []) {
  if (sessions.length === 0) return;
  post("/api/live-sessions/close", { sessions: sessions.map((one) => one.session_id) }, { keepalive: true }).catch(() => {});
}
