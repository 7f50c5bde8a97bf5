/**
 * What the console holds of one camera's recording: groups of pictures, gaps, and which stretches are known. Pure.
 *
 * A stretch is known when everything that is recorded in it is on the shelf: an instant of a known stretch without a
 * picture is a gap. The shelf is bounded in bytes: the groups farthest from the head are forgotten, and their stretch with
 * them. All instants are UTC milliseconds.
 */

import { readSamples } from "./mp4.js";

const TOUCHING_MS = 0.05;
const SAME_CLOCK_MS = 1;
const BEHIND_COUNTS = 2;

/**
 * @typedef {{pts: number, endMs: number, sample: number}} Frame `sample`: its place in decoding order
 * @typedef {{startMs: number, endMs: number, originMs: number, zeroMs: number, init: any, bytes: Uint8Array, samples: any[],
 *   frames: Frame[], bad: boolean}} Group `frames` in the order in which they are shown; `zeroMs`: the instant of media time
 *   zero; `bad` once a decoder refused it
 * @typedef {{startMs: number, endMs: number, cause: string}} Hole
 */

/**
 * A group out of what the node sent.
 * @param {{captureMs: number, bytes: Uint8Array}} frame `captureMs` is when its key frame was taken
 * @param {{timescale: number}} init
 * @param {number} originMs where the media time line of the stream has its zero
 * @returns {Group|null} null when it cannot be read
 */
export function makeGroup({ captureMs, bytes }, init, originMs) {
  const samples = readSamples(bytes);
  if (samples.length === 0) return null;
  const perTick = 1000 / init.timescale;
  const stated = captureMs - samples[0].shown * perTick;
  // What lies before the start of the look was squeezed behind it: there the media time line alone is right.
  const zeroMs = Math.abs(stated - originMs) < SAME_CLOCK_MS ? stated : originMs;
  const frames = samples
    .map(({ shown, duration }, sample) => ({ pts: zeroMs + shown * perTick, endMs: zeroMs + (shown + duration) * perTick, sample }))
    .sort((one, other) => one.pts - other.pts);
  for (let index = 1; index < frames.length; index += 1) frames[index - 1].endMs = frames[index].pts;
  return { startMs: captureMs, endMs: frames.at(-1).endMs, originMs, zeroMs, init, bytes, samples, frames, bad: false };
}

/** The last element that comes at or before, or -1. */
function lastAt(list, ms, of) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (of(list[middle]) <= ms) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The shelf of one camera. */
export class Shelf {
  #groups = [];
  #gaps = [];
  #known = [];
  #bytes = 0;

  /** How much it holds. @returns {number} */
  get bytes() {
    return this.#bytes;
  }

  /** Put a group; a longer one takes the place of one that was still growing. @param {Group} group */
  put(group) {
    const at = lastAt(this.#groups, group.startMs, (one) => one.startMs);
    const there = this.#groups[at];
    if (there && Math.abs(there.startMs - group.startMs) < TOUCHING_MS) {
      if (there.samples.length >= group.samples.length && !there.bad) return;
      this.#groups[at] = group;
      this.#bytes -= there.bytes.byteLength;
    } else this.#groups.splice(at + 1, 0, group);
    this.#bytes += group.bytes.byteLength;
  }

  /** Put a gap. @param {Hole} gap */
  addGap(gap) {
    this.#gaps = this.#gaps.filter((one) => one.endMs <= gap.startMs || one.startMs >= gap.endMs);
    this.#gaps.push(gap);
  }

  /** Note that everything between two instants is here. @param {number} startMs @param {number} endMs */
  know(startMs, endMs) {
    if (!(endMs > startMs)) return;
    let merged = [startMs, endMs];
    const others = [];
    for (const one of this.#known) {
      if (one[1] < merged[0] - TOUCHING_MS || one[0] > merged[1] + TOUCHING_MS) others.push(one);
      else merged = [Math.min(one[0], merged[0]), Math.max(one[1], merged[1])];
    }
    this.#known = [...others, merged].sort((one, other) => one[0] - other[0]);
  }

  /** The end of the known stretch that holds an instant, or null. @param {number} ms @returns {number|null} */
  knownEnd(ms) {
    return this.#stretch(ms)?.[1] ?? null;
  }

  /** The start of the known stretch that holds an instant, or null. @param {number} ms @returns {number|null} */
  knownStart(ms) {
    return this.#stretch(ms)?.[0] ?? null;
  }

  /** The group that is shown at an instant, or null. @param {number} ms @returns {Group|null} */
  groupAt(ms) {
    const at = lastAt(this.#groups, ms, (group) => group.frames[0].pts);
    if (at >= 0 && (ms < this.#groups[at].endMs || this.knownEnd(ms) !== null)) return this.#groups[at];
    const next = this.#groups[at + 1];
    return next && next.startMs <= ms ? next : null;
  }

  /**
   * The picture of an instant: the last one that was taken at or before it.
   * @param {number} ms
   * @returns {{group: Group, frame: Frame}|null} null in a gap, and where nothing is known
   */
  frameAt(ms) {
    if (this.gapAt(ms) || this.#stretch(ms) === null) return null;
    const group = this.groupAt(ms);
    if (!group) return null;
    const frame = group.frames[Math.max(0, lastAt(group.frames, ms, (one) => one.pts))];
    if (this.#gaps.some((gap) => gap.startMs >= frame.pts && gap.endMs <= ms)) return null;
    return { group, frame };
  }

  /** The picture after one, or null. @param {{group: Group, frame: Frame}} found */
  after({ group, frame }) {
    const at = group.frames.indexOf(frame);
    if (at < group.frames.length - 1) return { group, frame: group.frames[at + 1] };
    const next = this.#groups[lastAt(this.#groups, group.startMs, (one) => one.startMs) + 1];
    return next && this.#joined(group, next) ? { group: next, frame: next.frames[0] } : null;
  }

  /** The picture before one, or null. @param {{group: Group, frame: Frame}} found */
  before({ group, frame }) {
    const at = group.frames.indexOf(frame);
    if (at > 0) return { group, frame: group.frames[at - 1] };
    const previous = this.#groups[lastAt(this.#groups, group.startMs, (one) => one.startMs) - 1];
    return previous && this.#joined(previous, group) ? { group: previous, frame: previous.frames[previous.frames.length - 1] } : null;
  }

  /** The gap that holds an instant, or undefined. @param {number} ms @returns {Hole|undefined} */
  gapAt(ms) {
    return this.#gaps.find((gap) => gap.startMs <= ms && ms < gap.endMs);
  }

  /**
   * Forget the groups farthest from the head until the shelf is small enough; those that were passed go first.
   * @param {number} headMs
   * @param {number} direction 1 or -1
   * @param {number} budgetBytes
   */
  evict(headMs, direction, budgetBytes) {
    const distance = (group) => {
      const ahead = direction * ((group.startMs + group.endMs) / 2 - headMs);
      return ahead >= 0 ? ahead : -ahead * BEHIND_COUNTS;
    };
    while (this.#bytes > budgetBytes && this.#groups.length > 1) {
      const ends = [this.#groups[0], this.#groups[this.#groups.length - 1]];
      this.#forget(distance(ends[0]) > distance(ends[1]) ? ends[0] : ends[1]);
    }
  }

  /** Keep only what lies between two instants. @param {number} startMs @param {number} endMs */
  trim(startMs, endMs) {
    for (const group of this.#groups.filter((one) => one.startMs >= endMs || one.endMs <= startMs)) this.#forget(group);
  }

  /** Forget everything. */
  clear() {
    this.#groups = [];
    this.#gaps = [];
    this.#known = [];
    this.#bytes = 0;
  }

  #stretch(ms) {
    const at = lastAt(this.#known, ms + TOUCHING_MS, (one) => one[0]);
    return at >= 0 && ms < this.#known[at][1] ? this.#known[at] : null;
  }

  #joined(one, next) {
    const end = this.knownEnd(one.startMs);
    return end !== null && end >= next.startMs - TOUCHING_MS;
  }

  #forget(group) {
    this.#groups.splice(this.#groups.indexOf(group), 1);
    this.#bytes -= group.bytes.byteLength;
    this.#known = this.#known.flatMap(([start, end]) =>
      end <= group.startMs || start >= group.endMs
        ? [[start, end]]
        : [[start, Math.min(end, group.startMs)], [Math.max(start, group.endMs), end]].filter(([from, to]) => to > from),
    );
  }
}
