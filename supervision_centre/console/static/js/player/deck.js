/**
 * Up to four cameras in step: one head, and for each camera a reel and a screen that follow it.
 *
 * Rules: 1. All show the picture of the same instant; each picture is the last one taken at or before it, and one that is
 * ready waits `TOGETHER_MS` for those that are nearly. 2. The head waits
 * for a camera that is not ready, for `PATIENCE_MS` at most; then it goes on without it until it is. 3. A camera in a gap
 * is not waited for; when all of them are, the head jumps to where one of them is recorded again. 4. The head does not
 * leave what may be looked at: the owner is told that it reached the edge.
 */

import { now } from "../session.js";
import { Head } from "./head.js";
import { CanvasScreen } from "./canvas_screen.js";
import { Reel } from "./reel.js";
import { VideoScreen } from "./video_screen.js";

/** How many cameras can be played in step. */
export const MOST_CAMERAS = 4;

const PATIENCE_MS = 1_500;
const TOGETHER_MS = 300;
const EDGE_MS = 100;
const WRITTEN_MS = 2_000;
const WITH_PICTURE = new Set(["shown", "loading"]);
const EMPTY = new Set(["gap", "nothing"]);

/**
 * @typedef {"shown"|"loading"|"gap"|"nothing"|"damaged"|"unsupported"|"stopped"|"outside"} Condition what a camera shows
 * @typedef {object} Seat one camera
 * @property {string} id
 * @property {Reel} reel
 * @property {CanvasScreen|VideoScreen} screen
 * @property {Condition} condition
 */

/** The deck of one playback. */
export class Deck {
  #archive;
  #on;
  #seats = new Map();
  #head = new Head();
  #frame = 0;

  /**
   * @param {import("./archive.js").Archive} archive
   * @param {{moved: () => void, edge: (direction: 1|-1) => void, jumped: (fromMs: number, toMs: number) => void,
   *   condition: (id: string, condition: Condition, details: any) => void, ended: (id: string, cause: string) => void,
   *   disowned: (id: string, range: {startMs: number, endMs: number}) => void}} on
   *   `moved`: after each turn of the deck; `edge`: the head stands at the edge of what a look allows
   */
  constructor(archive, on) {
    this.#archive = archive;
    this.#on = on;
  }

  /** The head. @returns {Head} */
  get head() {
    return this.#head;
  }

  /** The instant of the picture that a camera shows, or null. @param {string} id @returns {number|null} */
  shownMs(id) {
    const seat = this.#seats.get(id);
    return seat && WITH_PICTURE.has(seat.condition) ? seat.screen.shownMs : null;
  }

  /** Put a camera on the deck. @param {string} id @returns {HTMLElement} where its picture will be */
  add(id) {
    const seat = { id, condition: "stopped", waitsSince: 0, supported: true, damaged: false, reel: null, screen: makeScreen() };
    seat.reel = new Reel(this.#archive, {
      init: (init) => this.#check(seat, init),
      refused: (error) => this.#refused(seat, error),
      ended: (cause) => this.#ended(seat, cause),
      disowned: (range) => this.#on.disowned(id, range),
    });
    this.#seats.set(id, seat);
    return seat.screen.element;
  }

  /** Take a camera off. @param {string} id */
  remove(id) {
    const seat = this.#seats.get(id);
    if (!seat) return;
    this.#seats.delete(id);
    seat.reel.close();
    seat.screen.close();
  }

  /** Read a camera under a look from now on. @param {string} id @param {{ticket: string, fromMs: number, toMs: number}} look */
  open(id, look) {
    const seat = this.#seats.get(id);
    if (!seat) return;
    seat.reel.open(look);
    this.#say(seat, "loading", {});
    this.#run();
  }

  /** Keep the look at a camera alive. @param {string} id @param {string} ticket */
  renew(id, ticket) {
    this.#seats.get(id)?.reel.renew(ticket);
  }

  /** Stop a camera and leave no picture of it. @param {string} id */
  stop(id) {
    const seat = this.#seats.get(id);
    if (!seat) return;
    seat.reel.close();
    seat.screen.clear();
    seat.condition = "stopped";
  }

  /** Go to an instant. @param {number} ms */
  seek(ms) {
    this.#head.place(ms);
    for (const seat of this.#seats.values()) {
      if (seat.condition !== "stopped") Object.assign(seat, { condition: "loading", waitsSince: performance.now(), damaged: false });
    }
  }

  /**
   * One picture further or back, of one camera; the others follow.
   * @param {string} id
   * @param {1|-1} direction
   * @returns {boolean} whether that picture is known
   */
  step(id, direction) {
    const seat = this.#seats.get(id);
    this.#head.hold();
    const shelf = seat?.reel.shelf(0);
    const found = shelf?.frameAt(this.#head.ms);
    const next = found && (direction > 0 ? shelf.after(found) : shelf.before(found));
    if (!next) return false;
    this.#head.place(next.frame.pts);
    return true;
  }

  /** Stop everything. */
  close() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    for (const id of [...this.#seats.keys()]) this.remove(id);
  }

  #run() {
    if (this.#frame) return;
    const turn = (atMs) => {
      this.#frame = requestAnimationFrame(turn);
      this.#turn(atMs);
    };
    this.#frame = requestAnimationFrame(turn);
  }

  #turn(atMs) {
    const seats = [...this.#seats.values()].filter((seat) => seat.condition !== "stopped");
    const late = seats.filter((seat) => seat.waitsSince > 0);
    const waits = late.length === seats.length || late.some((seat) => atMs - seat.waitsSince < PATIENCE_MS);
    this.#head.advance(atMs, waits);
    this.#keepInside(seats);
    for (const seat of seats) {
      this.#prepare(seat);
      if (seat.condition !== "loading") seat.waitsSince = 0;
      else if (seat.waitsSince === 0) seat.waitsSince = atMs;
    }
    const soon = this.#head.rate !== 0 && seats.some((seat) => seat.waitsSince > 0 && atMs - seat.waitsSince < TOGETHER_MS);
    if (!soon) for (const seat of seats) if (seat.condition === "shown") seat.screen.draw();
    this.#skipEmpty(seats);
    this.#on.moved();
  }

  #prepare(seat) {
    const { ms, rate } = this.#head;
    const { reel, screen } = seat;
    reel.want(ms, rate);
    const shelf = reel.shelf(rate);
    const found = shelf.frameAt(ms);
    if (!seat.supported) this.#say(seat, "unsupported", {});
    else if (found?.group.bad) this.#say(seat, "damaged", { startMs: found.group.startMs, endMs: found.group.endMs });
    else if (found) this.#say(seat, screen.prepare(shelf, found, ms, rate) ? "shown" : "loading", {});
    else if (shelf.knownEnd(ms) !== null) {
      const gap = shelf.gapAt(ms);
      this.#say(seat, gap ? "gap" : "nothing", gap ?? {});
    } else if (ms < reel.range.fromMs || ms >= reel.range.toMs) this.#say(seat, "outside", {});
    else if (!seat.damaged) this.#say(seat, "loading", { connected: reel.connected });
  }

  /** The head stays inside the looks; at the edge it stands until the owner opens others, or holds it. */
  #keepInside(seats) {
    if (seats.length === 0 || this.#head.rate === 0) return;
    const low = Math.min(...seats.map((seat) => seat.reel.range.fromMs));
    const high = Math.min(Math.max(...seats.map((seat) => seat.reel.range.toMs)) - EDGE_MS, now() - WRITTEN_MS);
    const direction = this.#head.rate > 0 ? 1 : -1;
    const { ms } = this.#head;
    if (direction > 0 ? low <= ms && ms < high : low < ms && ms <= high) return;
    if (direction > 0 ? ms >= low : ms <= high) this.#head.place(direction > 0 ? high : low);
    this.#on.edge(direction);
  }

  #skipEmpty(seats) {
    const { ms, rate } = this.#head;
    if (rate === 0 || seats.length === 0 || !seats.every((seat) => EMPTY.has(seat.condition))) return;
    const targets = seats.map((seat) => {
      const shelf = seat.reel.shelf(rate);
      const gap = shelf.gapAt(ms);
      return rate > 0 ? (gap?.endMs ?? shelf.knownEnd(ms)) : (gap?.startMs ?? shelf.knownStart(ms)) - 1;
    });
    const target = rate > 0 ? Math.min(...targets) : Math.max(...targets);
    this.seek(target);
    this.#on.jumped(ms, target);
  }

  async #check(seat, init) {
    seat.damaged = false;
    if (init && (await CanvasScreen.supports(init))) {
      seat.supported = true;
    } else if (init && (await VideoScreen.supports(init))) {
      seat.supported = true;
      this.#replaceScreen(seat);
    } else seat.supported = false;
  }

  #replaceScreen(seat) {
    if (seat.screen instanceof VideoScreen) return;
    const former = seat.screen;
    seat.screen = new VideoScreen();
    former.element.replaceWith(seat.screen.element);
    former.close();
  }

  #refused(seat, error) {
    seat.damaged = true;
    this.#say(seat, "damaged", error);
  }

  #ended(seat, cause) {
    seat.screen.clear();
    seat.condition = "stopped";
    this.#on.ended(seat.id, cause);
  }

  #say(seat, condition, details) {
    seat.condition = condition;
    this.#on.condition(seat.id, condition, details);
  }
}

const makeScreen = () => (typeof VideoDecoder === "function" ? new CanvasScreen() : new VideoScreen());
