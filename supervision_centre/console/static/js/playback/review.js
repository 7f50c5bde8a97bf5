/**
 * A review of recorded images: which cameras, under which looks, from which instant.
 *
 * Rules: 1. No image without a look: its entry is in the journal before anything is asked of the node (LAW-27). 2. One
 * purpose and one note serve the whole review; they are asked once. 3. Where the head leaves what the looks allow, others
 * are opened, each with its own entry. 4. A look that ended is taken up again by itself, unless the centre decided it.
 */

import { Archive } from "../player/archive.js";
import { Deck } from "../player/deck.js";
import { now } from "../session.js";
import { clockTime, dateTime } from "../ui/format.js";
import { askPlaybackReason } from "../ui/purpose.js";
import { FINAL_CAUSES } from "../wall/causes.js";
import { Looks } from "./looks.js";
import { Timelines } from "./timelines.js";
import { Trail } from "./trail.js";

const SHORT_MS = 120_000;
const LONG_MS = 1_800_000;
const INSIDE_MS = 1_000;
const LIVE_MS = 4_000;
const AGAIN = "again";
const AGAIN_FIRST_MS = 400;
const AGAIN_LAST_MS = 10_000;

/**
 * @typedef {object} ReviewListener
 * @property {() => void} moved the deck turned
 * @property {(id: string, condition: string, details: any) => void} condition what a camera shows
 * @property {(id: string, range: {startMs: number, endMs: number}) => void} disowned what was shown is not what was recorded
 * @property {(fromMs: number, toMs: number) => void} jumped the head passed over images that are missing
 * @property {(ms: number, found: any) => void} nothing nothing is recorded at the instant that was asked
 * @property {(id: string, error: {code: string, text: string}) => void} refused the centre opens no look
 * @property {() => void} looked the looks changed
 * @property {() => void} finished the head came to the end of what is recorded
 * @property {(connected: boolean) => void} link
 */

/** One review. */
export class Review {
  #on;
  #archive;
  #deck;
  #looks;
  #cameras = new Map();
  #reason = null;
  #busy = false;
  #stopped = false;
  #again = new Map();

  /** @param {string} gatewayUrl @param {ReviewListener} on */
  constructor(gatewayUrl, on) {
    this.#on = on;
    this.#archive = new Archive(gatewayUrl);
    this.#archive.addEventListener("state", () => on.link(this.#archive.connected));
    this.#deck = new Deck(this.#archive, {
      moved: on.moved,
      jumped: on.jumped,
      condition: on.condition,
      disowned: on.disowned,
      edge: (direction) => this.#extend(direction),
      ended: (id, cause) => this.#lost(id, cause),
    });
    this.#looks = new Looks({
      renewed: (look) => this.#deck.renew(look.cameraId, look.ticket),
      ended: (look, cause) => {
        this.#deck.stop(look.cameraId);
        this.#lost(look.cameraId, cause);
      },
    });
    /** What is recorded. @type {Timelines} */
    this.timelines = new Timelines();
    /** Where the head was. @type {Trail} */
    this.trail = new Trail();
  }

  /** The head. */
  get head() {
    return this.#deck.head;
  }

  /** The cameras, in the order in which they were chosen. @returns {any[]} */
  get cameras() {
    return [...this.#cameras.values()];
  }

  /** The looks that are open. @returns {import("./looks.js").Look[]} */
  get looks() {
    return this.#looks.all;
  }

  /** Whether images are shown. @returns {boolean} */
  get active() {
    return this.#looks.all.length > 0;
  }

  /** The instant of the picture of a camera, or null. @param {string} id @returns {number|null} */
  shownMs(id) {
    return this.#deck.shownMs(id);
  }

  /** Take a camera in; the place of its picture. @param {any} camera @returns {HTMLElement} */
  add(camera) {
    const element = this.#deck.add(camera.id);
    this.#cameras.set(camera.id, camera);
    if (this.active) this.#openLooks([camera.id], this.head.ms).then(() => this.#on.looked());
    return element;
  }

  /** Leave a camera. @param {string} id */
  remove(id) {
    if (!this.#cameras.delete(id)) return;
    clearTimeout(this.#again.get(id)?.timer);
    this.#again.delete(id);
    this.#deck.remove(id);
    this.#looks.close(id);
    if (this.#cameras.size === 0) {
      this.#reason = null;
      this.head.hold();
      this.trail.clear();
    }
    this.#on.looked();
  }

  /**
   * Show an instant.
   * @param {number} ms
   * @param {{play?: boolean|null, remember?: boolean}} [options] `play`: whether to move from there, null to go on as now
   * @returns {Promise<boolean>} whether the head is there
   */
  async goTo(ms, { play = null, remember = true } = {}) {
    if (this.#cameras.size === 0 || this.#busy) return false;
    this.#busy = true;
    try {
      const ids = [...this.#cameras.keys()];
      const found = await this.timelines.around(ids, ms);
      if (this.#stopped) return false;
      if (!found.recorded) {
        this.#stayAt(ms, remember);
        this.#on.nothing(ms, found);
        return false;
      }
      if (!(await this.#askReason(ms))) return false;
      const leaves = this.active ? this.head.ms : null;
      this.#deck.seek(ms);
      await this.#openLooks(ids.filter((id) => !holds(this.#looks.of(id), ms)), ms);
      if (!this.active || this.#stopped) return false;
      if (remember && leaves !== null) this.trail.leave(leaves);
      if (play === true) this.head.play(this.head.direction);
      else if (play === false) this.head.hold();
      this.#on.looked();
      return true;
    } catch (error) {
      for (const id of this.#cameras.keys()) this.#on.refused(id, error);
      return false;
    } finally {
      this.#busy = false;
    }
  }

  /** Move by some seconds. @param {number} seconds */
  skip(seconds) {
    if (this.active) this.goTo(Math.min(this.head.ms + seconds * 1000, now() - LIVE_MS));
  }

  /** One picture further or back, of one camera. @param {string} id @param {1|-1} direction */
  step(id, direction) {
    if (this.active) this.#deck.step(id, direction);
  }

  /** Back to before the last jump, or forth again. @param {1|-1} direction */
  undo(direction) {
    const ms = direction < 0 ? this.trail.back(this.head.ms) : this.trail.forward(this.head.ms);
    if (ms !== null) this.goTo(ms, { remember: false });
  }

  /** End every look; the calls outlive the page. */
  stop() {
    this.#stopped = true;
    for (const { timer } of this.#again.values()) clearTimeout(timer);
    this.#deck.close();
    this.#archive.close();
    this.#looks.stop();
  }

  #stayAt(ms, remember) {
    if (this.active && remember) this.trail.leave(this.head.ms);
    this.head.hold();
    this.#deck.seek(ms);
  }

  async #askReason(ms) {
    if (this.#reason) return true;
    const { fromMs, toMs } = rangeAt(ms, 1);
    const names = this.cameras.map((camera) => `${camera.name}, ${camera.commune_name}`);
    this.#reason = await askPlaybackReason({ cameras: names, range: `${dateTime(fromMs)} à ${clockTime(toMs)}` });
    return this.#reason !== null && !this.#stopped;
  }

  async #openLooks(ids, ms) {
    await Promise.all(ids.map((id) => this.#openLook(id, ms)));
  }

  async #openLook(id, ms) {
    const range = rangeAt(ms, this.head.direction);
    try {
      const look = await this.#looks.open({ cameraId: id, ...range, reason: this.#reason });
      if (this.#stopped || !this.#cameras.has(id)) this.#looks.close(id);
      else this.#deck.open(id, look);
      return true;
    } catch (error) {
      if (!this.#stopped && error.status !== 401) this.#on.refused(id, error);
      return false;
    }
  }

  async #extend(direction) {
    if (direction > 0 && this.head.ms >= now() - LIVE_MS) {
      this.head.hold();
      this.#on.finished();
      return;
    }
    if (this.#busy) return;
    this.#busy = true;
    try {
      await this.#openLooks([...this.#cameras.keys()].filter((id) => this.#looks.of(id)), this.head.ms);
      this.#on.looked();
    } finally {
      this.#busy = false;
    }
  }

  /** A look ended: the centre decided it, or it is taken up again after a pause that grows. */
  #lost(id, cause) {
    if (this.#stopped || !this.#cameras.has(id)) return;
    if (FINAL_CAUSES.has(cause)) {
      this.#looks.close(id);
      this.#on.condition(id, "ended", { cause });
      this.#on.looked();
      return;
    }
    if (cause !== AGAIN) this.#on.condition(id, "resuming", { cause });
    const { pauseMs = AGAIN_FIRST_MS, timer } = this.#again.get(id) ?? {};
    clearTimeout(timer);
    const next = window.setTimeout(() => this.#takeUp(id), pauseMs * (0.5 + Math.random() / 2));
    this.#again.set(id, { pauseMs: Math.min(pauseMs * 2, AGAIN_LAST_MS), timer: next });
  }

  async #takeUp(id) {
    if (this.#looks.of(id)) await this.#looks.renew();
    const look = this.#looks.of(id);
    if (this.#stopped || !this.#cameras.has(id)) return;
    if (look && holds(look, this.head.ms)) this.#deck.open(id, look);
    else if (!(await this.#openLook(id, this.head.ms))) this.#lost(id, AGAIN);
    this.#on.looked();
  }

  /** A camera shows pictures again: the next loss is a new one. @param {string} id */
  settled(id) {
    if (this.#again.has(id)) this.#again.delete(id);
  }
}

const holds = (look, ms) => look !== undefined && look.fromMs <= ms && ms < look.toMs - INSIDE_MS;

/** What a look at an instant reaches: far in the direction of the head, a little the other way, never past now. */
function rangeAt(ms, direction) {
  const [before, after] = direction > 0 ? [SHORT_MS, LONG_MS] : [LONG_MS, SHORT_MS];
  return { fromMs: Math.round(ms - before), toMs: Math.round(Math.min(ms + after, now())) };
}
