/** Holds in words: what is held, until when, in which state. */

import { clockTime, dateTime, duration, shortDate } from "../ui/format.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The images of a hold: `24/11/2026 08:26:12 à 09:26:12` @param {{from: string, to: string}} hold @returns {string} */
export function rangeText({ from, to }) {
  const start = Date.parse(from);
  const end = Date.parse(to);
  const last = shortDate(start) === shortDate(end) ? clockTime(end) : dateTime(end);
  return `${dateTime(start)} à ${last}`;
}

/** How long the images of a hold are. @param {{from: string, to: string}} hold @returns {string} */
export const lengthText = ({ from, to }) => duration(Date.parse(to) - Date.parse(from));

/**
 * The time that is left, in the largest unit that says enough: `89 jours`, `5 h`, `12 min`.
 * @param {number} untilMs
 * @param {number} nowMs
 * @returns {string}
 */
export function remaining(untilMs, nowMs) {
  const left = untilMs - nowMs;
  if (left <= 0) return "échue";
  if (left >= 2 * DAY) return `dans ${Math.floor(left / DAY)}\u00a0jours`;
  if (left >= HOUR) return `dans ${Math.floor(left / HOUR)}\u00a0h`;
  return `dans ${Math.max(1, Math.floor(left / MINUTE))}\u00a0min`;
}

/** The class of the mark before a state. @param {any} hold @returns {string} */
export function stateClass(hold) {
  if (!hold.standing) return "state state--over";
  if (hold.state === "placed" && !hold.warning) return "state";
  return "state state--caution";
}
