/** What the time line of one camera holds, and which stretch of it is looked at. Pure. */

/** Causes of a gap, with their French label and their colour token. */
export const CAUSES = [
  { code: "camera", label: "Caméra", colour: "--gap-camera" },
  { code: "link", label: "Réseau", colour: "--gap-link" },
  { code: "recorder", label: "Enregistreur", colour: "--gap-recorder" },
  { code: "disk", label: "Disque", colour: "--gap-disk" },
  { code: "maintenance", label: "Maintenance", colour: "--gap-maintenance" },
  { code: "authorisation", label: "Autorisation", colour: "--gap-authorisation" },
];

/** A cause in words, its code unknown or not. @param {string} code @returns {string} */
export const causeLabel = (code) => {
  if (code === "not_recorded") return "Jamais enregistré, ou effacé à son terme";
  if (code === "store_missing") return "Le disque qui porte ces images ne répond pas";
  if (code === "damaged") return "Images endommagées\u00a0: elles ne font pas foi. Prévenez l’administrateur";
  const known = CAUSES.find((one) => one.code === code);
  return known ? `Images manquantes\u00a0: ${known.label.toLowerCase()}` : "Images manquantes";
};

const LAST_MS = 2_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** The lengths that the zoom goes through, in milliseconds. */
export const ZOOMS = [5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR];
const STEPS = [1_000, 5_000, 15_000, 30_000, MINUTE, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR];

/**
 * @typedef {{startMs: number, endMs: number}} Span
 * @typedef {{startMs: number, endMs: number, open: boolean, cause: string, label: string, repaired: boolean}} Gap
 * @typedef {{spans: Span[], gaps: Gap[]}} Timeline
 */

/**
 * The API's answer as numbers; a gap that lasts ends now.
 * @param {any} answer
 * @param {number} nowMs
 * @returns {Timeline}
 */
export function readTimeline(answer, nowMs) {
  return {
    spans: (answer.spans ?? []).map((span) => ({ startMs: Date.parse(span.start), endMs: Date.parse(span.end) })),
    gaps: (answer.gaps ?? []).map((gap) => ({
      startMs: Date.parse(gap.start),
      endMs: gap.end ? Date.parse(gap.end) : nowMs,
      open: !gap.end,
      cause: gap.cause,
      label: gap.label ?? "",
      repaired: Boolean(gap.repaired),
    })),
  };
}

/** The span that holds an instant. @param {Timeline} timeline @param {number} ms @returns {Span|undefined} */
export const spanAt = (timeline, ms) => timeline.spans.find((span) => span.startMs <= ms && ms < span.endMs);

/** The gap that holds an instant. @param {Timeline} timeline @param {number} ms @returns {Gap|undefined} */
export const gapAt = (timeline, ms) => timeline.gaps.find((gap) => gap.startMs <= ms && ms < gap.endMs);

/**
 * What a hand that points near an instant means: itself when it is recorded, else the edge of what is recorded close by.
 * @param {Timeline[]} lines
 * @param {number} ms
 * @param {number} reachMs how close
 * @returns {number}
 */
export function snapped(lines, ms, reachMs) {
  if (lines.some((line) => spanAt(line, ms))) return ms;
  const edges = lines.flatMap((line) => line.spans.flatMap((span) => [span.startMs, Math.max(span.startMs, span.endMs - LAST_MS)]));
  const near = edges.filter((edge) => Math.abs(edge - ms) <= reachMs);
  return near.reduce((best, edge) => (Math.abs(edge - ms) < Math.abs(best - ms) ? edge : best), near[0] ?? ms);
}

/**
 * The next zoom, around an instant that stays under the pointer, never past now.
 * @param {{startMs: number, endMs: number}} range
 * @param {number} step -1 for a closer look, 1 for a wider one
 * @param {number} aroundMs
 * @param {number} nowMs
 */
export function zoomed(range, step, aroundMs, nowMs) {
  const length = range.endMs - range.startMs;
  const at = ZOOMS.findIndex((zoom) => zoom >= length - 1);
  const next = ZOOMS[Math.min(Math.max((at < 0 ? ZOOMS.length - 1 : at) + step, 0), ZOOMS.length - 1)];
  const share = (aroundMs - range.startMs) / length;
  return clamped({ startMs: aroundMs - share * next, endMs: aroundMs + (1 - share) * next }, nowMs);
}

/** The same range, moved back so that it does not go past now. @param {Span} range @param {number} nowMs @returns {Span} */
export function clamped(range, nowMs) {
  const past = range.endMs - nowMs;
  return past > 0 ? { startMs: range.startMs - past, endMs: nowMs } : range;
}

/**
 * The instants at which an axis of that width carries an hour.
 * @param {{startMs: number, endMs: number}} range
 * @param {number} widthPx
 * @param {number} offsetMs of the local time from UTC, so that hours fall on round local ones
 * @returns {{stepMs: number, ticks: number[]}}
 */
export function axis(range, widthPx, offsetMs) {
  const room = ((range.endMs - range.startMs) * 90) / Math.max(1, widthPx);
  const stepMs = STEPS.find((step) => step >= room) ?? STEPS[STEPS.length - 1];
  const ticks = [];
  for (let at = Math.ceil((range.startMs + offsetMs) / stepMs) * stepMs - offsetMs; at <= range.endMs; at += stepMs) ticks.push(at);
  return { stepMs, ticks };
}
