/**
 * The recording of one camera, as far as one look at it reaches: it asks the node for what the head is about to need, one
 * request at a time, and puts what comes on a shelf.
 *
 * Rules: 1. What is asked follows the head: forward or reverse, whole groups, or key frames alone when the picture runs
 * fast. 2. A request that no longer serves the head is cancelled. 3. At most `BUDGET_BYTES` are held. 4. The end of a look
 * leaves nothing on the shelf. 5. A lost connection costs nothing but time: what is missing is asked again.
 */

import { now } from "../session.js";
import { makeGroup, Shelf } from "./shelf.js";
import { readInit } from "./mp4.js";

/** The fastest speed at which every picture is read; above it, only key frames are. */
export const FASTEST_WHOLE = 4;

const BUDGET_BYTES = 48 * 1024 * 1024;
const AHEAD_MS = 6_000;
const BEHIND_PAUSED_MS = 4_000;
const GROUPS_AT_ONCE = 4;
const KEYS_AT_ONCE = 16;
const FORGIVEN_MS = 5_000;
const IDLE_MS = 700;
const REFUSED_MS = 2_000;
const FRESH_MS = 3_000;
const BEFORE_MS = 0.5;
const NOTHING = new Uint8Array(0);

/** One camera's reel. */
export class Reel {
  #archive;
  #on;
  #stream = 0;
  #open = false;
  #originMs = 0;
  #range = { fromMs: 0, toMs: 0 };
  #inits = new Map();
  #shelves = { all: new Shelf(), key: new Shelf() };
  #request = null;
  #requests = 0;
  #idleUntil = 0;

  /**
   * @param {import("./archive.js").Archive} archive
   * @param {{init: (init: any) => void, ended: (cause: string) => void, refused: (error: any) => void,
   *   disowned: (range: {startMs: number, endMs: number}) => void}} on `init`: what decodes the pictures from now on;
   *   `ended`: the node shows nothing more under this look; `disowned`: what it gave is not what was recorded
   */
  constructor(archive, on) {
    this.#archive = archive;
    this.#on = on;
  }

  /** The stretch of the look. @returns {{fromMs: number, toMs: number}} */
  get range() {
    return this.#range;
  }

  /** Whether the node listens to this look. @returns {boolean} */
  get connected() {
    return this.#open;
  }

  /** The shelf for a speed. @param {number} rate @returns {Shelf} */
  shelf(rate) {
    return this.#shelves[kindOf(rate)];
  }

  /** Read under this look from now on. @param {{ticket: string, fromMs: number, toMs: number}} look */
  open({ ticket, fromMs, toMs }) {
    this.#leave();
    this.#range = { fromMs, toMs };
    for (const shelf of Object.values(this.#shelves)) shelf.trim(fromMs, toMs);
    const inits = new Map();
    this.#inits = inits;
    const mine = (act) => (value) => this.#inits === inits && act(value);
    this.#stream = this.#archive.attach(ticket, {
      opened: mine(({ originMs }) => this.#opened(originMs)),
      init: mine((frame) => this.#gotInit(frame)),
      group: mine((frame) => this.#gotGroup(frame)),
      gap: mine((gap) => this.#gotGap(gap)),
      done: mine((done) => this.#gotDone(done)),
      refused: mine((error) => this.#refused(error)),
      ended: mine((cause) => this.#ended(cause)),
      lost: mine(() => this.#lost()),
    });
  }

  /** Keep the look alive. @param {string} ticket */
  renew(ticket) {
    this.#archive.renew(this.#stream, ticket);
  }

  /** Leave the look, and everything that was read. */
  close() {
    this.#leave();
    for (const shelf of Object.values(this.#shelves)) shelf.clear();
  }

  /**
   * Say where the head is; what it is about to need is asked for.
   * @param {number} ms
   * @param {number} rate 0 when the picture is held
   */
  want(ms, rate) {
    this.#shelves[kindOf(rate)].evict(ms, rate < 0 ? -1 : 1, BUDGET_BYTES);
    if (!this.#open || performance.now() < this.#idleUntil) return;
    const next = this.#plan(ms, rate);
    if (this.#request && next && !serves(this.#request, next)) this.#cancel();
    if (!this.#request && next) this.#ask(next);
  }

  #plan(ms, rate) {
    const frames = kindOf(rate);
    const shelf = this.#shelves[frames];
    const { fromMs, toMs } = this.#range;
    const ahead = AHEAD_MS * Math.max(1, Math.abs(rate));
    const start = shelf.knownStart(ms) ?? ms;
    const end = shelf.knownEnd(ms) ?? ms;
    const forward = end < Math.min(toMs, now()) && end - ms < (rate < 0 ? 0 : ahead);
    const behind = rate < 0 ? ahead : rate === 0 ? BEHIND_PAUSED_MS : 0;
    const reverse = start > fromMs && ms - start < behind;
    if (forward) return { direction: "forward", frames, atMs: end, fromMs: Math.max(end, fromMs), toMs };
    if (reverse) return { direction: "reverse", frames, atMs: start, fromMs: Math.min(start, toMs), toMs: fromMs, unknown: end === ms };
    return null;
  }

  #ask({ direction, frames, fromMs, toMs, unknown = false }) {
    const request = (this.#requests = (this.#requests % 0x7fff_ffff) + 1);
    const cursorMs = unknown ? fromMs + BEFORE_MS : fromMs;
    this.#request = { request, direction, frames, startMs: cursorMs, cursorMs, endMs: toMs, bytes: NOTHING };
    this.#archive.fetch(this.#stream, {
      request, direction, frames,
      fromMs: direction === "forward" ? fromMs : cursorMs - BEFORE_MS,
      toMs,
      limit: frames === "key" ? KEYS_AT_ONCE : GROUPS_AT_ONCE,
    });
  }

  #cancel() {
    this.#archive.cancel(this.#stream);
    this.#request = null;
  }

  #opened(originMs) {
    this.#originMs = originMs;
    this.#open = true;
    this.#request = null;
    this.#idleUntil = 0;
  }

  #gotInit({ generation, bytes }) {
    const init = readInit(bytes);
    this.#inits.set(generation, init && { ...init, bytes: bytes.slice() });
    this.#on.init(this.#inits.get(generation));
  }

  #gotGroup(frame) {
    const request = this.#requestOf(frame.request);
    const init = this.#inits.get(frame.generation);
    if (!request || !init) return;
    const bytes = frame.key ? frame.bytes : concatenated(request.bytes, frame.bytes);
    const group = makeGroup({ captureMs: frame.captureMs, bytes }, init, this.#originMs);
    if (!group) return;
    request.bytes = bytes;
    this.#shelves[request.frames].put(group);
    this.#advance(request, group.startMs, group.endMs);
  }

  #gotGap(gap) {
    if (gap.request === null) {
      this.#disown(gap);
      return;
    }
    const request = this.#requestOf(gap.request);
    // What is missing just now may still be written.
    const endMs = Math.min(gap.endMs, now() - FRESH_MS);
    if (!request || endMs <= gap.startMs) return;
    this.#shelves[request.frames].addGap({ startMs: gap.startMs, endMs, cause: gap.cause });
    this.#advance(request, gap.startMs, endMs);
  }

  /** What was given is not what was recorded: it is shown no more. */
  #disown({ startMs, endMs, cause }) {
    for (const shelf of Object.values(this.#shelves)) shelf.addGap({ startMs, endMs, cause });
    this.#on.disowned({ startMs, endMs });
  }

  #advance(request, startMs, endMs) {
    const shelf = this.#shelves[request.frames];
    if (request.direction === "forward") {
      shelf.know(Math.min(startMs, request.cursorMs), endMs);
      request.cursorMs = Math.max(request.cursorMs, endMs);
    } else {
      shelf.know(startMs, Math.max(endMs, request.cursorMs));
      request.cursorMs = Math.min(request.cursorMs, startMs);
    }
  }

  #gotDone({ request: number, nextMs, reason }) {
    const request = this.#requestOf(number);
    if (!request || reason === "cancelled") return;
    this.#request = null;
    const shelf = this.#shelves[request.frames];
    const forward = request.direction === "forward";
    const reachedMs = nextMs ?? (forward ? Math.min(request.endMs, now() - FRESH_MS) : request.endMs);
    if (forward) shelf.know(request.cursorMs, reachedMs);
    else shelf.know(reachedMs, request.cursorMs);
    const went = forward ? Math.max(reachedMs, request.cursorMs) - request.startMs : request.startMs - Math.min(reachedMs, request.cursorMs);
    if (went < 1) this.#idleUntil = performance.now() + IDLE_MS;
  }

  #refused(error) {
    this.#request = null;
    this.#idleUntil = performance.now() + REFUSED_MS;
    this.#on.refused(error);
  }

  #ended(cause) {
    this.#open = false;
    this.#stream = 0;
    this.close();
    this.#on.ended(cause);
  }

  #lost() {
    this.#open = false;
    this.#request = null;
  }

  #leave() {
    if (this.#stream) this.#archive.detach(this.#stream);
    this.#stream = 0;
    this.#open = false;
    this.#request = null;
    this.#inits = new Map();
  }

  #requestOf(number) {
    return this.#request?.request === number ? this.#request : null;
  }
}

/** A long group comes in parts, of which only the first begins with a key frame. */
function concatenated(one, other) {
  const bytes = new Uint8Array(one.byteLength + other.byteLength);
  bytes.set(one);
  bytes.set(other, one.byteLength);
  return bytes;
}

const kindOf = (rate) => (Math.abs(rate) > FASTEST_WHOLE ? "key" : "all");

/** Whether a request on its way brings what is needed next. */
function serves(request, { direction, frames, atMs }) {
  if (request.direction !== direction || request.frames !== frames) return false;
  const low = Math.min(request.startMs, request.cursorMs) - (direction === "forward" ? 1 : FORGIVEN_MS);
  const high = Math.max(request.startMs, request.cursorMs) + (direction === "forward" ? FORGIVEN_MS : 1);
  return low <= atMs && atMs <= high;
}
