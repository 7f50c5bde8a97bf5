/** What is recorded of the cameras that are played, asked of the centre as the time line moves. */

import { get } from "../api.js";
import { now } from "../session.js";
import { gapAt, readTimeline, spanAt } from "./timeline.js";

const AROUND_MS = 1_800_000;
const FAR_MS = 24 * 3_600_000;

/** The time lines of one screen. */
export class Timelines {
  #lines = new Map();
  #asked = 0;

  /** The time line of a camera. @param {string} id @returns {import("./timeline.js").Timeline} */
  of(id) {
    return this.#lines.get(id) ?? { spans: [], gaps: [] };
  }

  /**
   * Ask for a stretch of some cameras, and keep it.
   * @param {string[]} ids
   * @param {{startMs: number, endMs: number}} range
   * @returns {Promise<boolean>} whether nothing newer was asked meanwhile
   * @throws {import("../api.js").ApiError}
   */
  async load(ids, range) {
    const asked = (this.#asked += 1);
    const lines = await Promise.all(ids.map((id) => ask(id, range)));
    if (asked !== this.#asked) return false;
    this.#lines = new Map(ids.map((id, index) => [id, { ...lines[index], ...range }]));
    return true;
  }

  /**
   * What is recorded at an instant, and before and after it.
   * @param {string[]} ids
   * @param {number} ms
   * @returns {Promise<{recorded: boolean, gaps: Map<string, any>, nextMs: number|null, previousMs: number|null}>} `gaps` by
   *   camera; `nextMs` and `previousMs` only when no camera is recorded at `ms`
   */
  async around(ids, ms) {
    const lines = await Promise.all(ids.map((id) => (this.#covers(id, ms) ? this.of(id) : ask(id, stretch(ms, AROUND_MS)))));
    const gaps = new Map(ids.map((id, index) => [id, gapAt(lines[index], ms)]));
    if (lines.some((line) => spanAt(line, ms))) return { recorded: true, gaps, nextMs: null, previousMs: null };
    const near = beside(lines, ms);
    if (near.nextMs !== null && near.previousMs !== null) return { recorded: false, gaps, ...near };
    const wide = beside(await Promise.all(ids.map((id) => ask(id, stretch(ms, FAR_MS)))), ms);
    return { recorded: false, gaps, ...wide };
  }

  #covers(id, ms) {
    const line = this.#lines.get(id);
    return line !== undefined && line.startMs <= ms && ms < line.endMs && Boolean(spanAt(line, ms));
  }
}

const stretch = (ms, aroundMs) => ({ startMs: ms - aroundMs, endMs: ms + aroundMs });

function beside(lines, ms) {
  const spans = lines.flatMap((line) => line.spans);
  const next = spans.filter((span) => span.startMs > ms).map((span) => span.startMs);
  const previous = spans.filter((span) => span.endMs <= ms).map((span) => span.endMs - 1_000);
  return { nextMs: next.length > 0 ? Math.min(...next) : null, previousMs: previous.length > 0 ? Math.max(...previous) : null };
}

async function ask(id, { startMs, endMs }) {
  const end = Math.min(endMs, now());
  const answer = await get(`/api/cameras/${encodeURIComponent(id)}/timeline`, {
    from: new Date(Math.min(startMs, end - 1_000)).toISOString(),
    to: new Date(end).toISOString(),
  });
  return readTimeline(answer, now());
}
