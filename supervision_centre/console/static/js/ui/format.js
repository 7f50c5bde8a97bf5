/** Instants, numbers and plurals as French readers expect them. Inside, everything is UTC; Europe/Paris only on a screen. */

const ZONE = "Europe/Paris";
const formatters = new Map();

function formatter(options, zone = ZONE) {
  const key = JSON.stringify(options) + zone;
  let found = formatters.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat("fr-FR", { timeZone: zone, hourCycle: "h23", ...options });
    formatters.set(key, found);
  }
  return found;
}

const HMS = { hour: "2-digit", minute: "2-digit", second: "2-digit" };

/** `08:26:12` @param {number} ms UTC milliseconds @returns {string} */
export const clockTime = (ms) => formatter(HMS).format(ms);

/** `08:26` @param {number} ms @returns {string} */
export const shortTime = (ms) => formatter({ hour: "2-digit", minute: "2-digit" }).format(ms);

/** `08:26:12,480` @param {number} ms @returns {string} */
export const preciseTime = (ms) => formatter({ ...HMS, fractionalSecondDigits: 3 }).format(ms);

/** `24 nov. 2026` @param {number} ms @returns {string} */
export const shortDate = (ms) => formatter({ day: "2-digit", month: "short", year: "numeric" }).format(ms);

/** `mar. 24 nov. 2026` @param {number} ms @returns {string} */
export const longDate = (ms) =>
  formatter({ weekday: "short", day: "2-digit", month: "short", year: "numeric" }).format(ms);

/** `24/11/2026 08:26:12` @param {number} ms @returns {string} */
export const dateTime = (ms) =>
  formatter({ day: "2-digit", month: "2-digit", year: "numeric", ...HMS }).format(ms).replace(",", "");

/** `2026-11-24 07:26:12,480 UTC` @param {number} ms @returns {string} */
export const utcTime = (ms) => `${new Date(ms).toISOString().slice(0, -1).replace("T", " ").replace(".", ",")} UTC`;

/**
 * Since when, in words that stay short: the hour today, the date and the hour otherwise.
 * @param {number} ms
 * @param {number} nowMs
 * @returns {string}
 */
export function since(ms, nowMs) {
  return longDate(ms) === longDate(nowMs) ? `depuis ${clockTime(ms)}` : `depuis le ${shortDate(ms)} à ${shortTime(ms)}`;
}

/** `1 204` @param {number} value @returns {string} */
export const number = (value) => new Intl.NumberFormat("fr-FR").format(value);

const decimal = (value, digits) =>
  new Intl.NumberFormat("fr-FR", { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);

/** `48,0 Mo`, `1,24 Go`, `8,00 To` @param {number} bytes @returns {string} */
export function size(bytes) {
  if (bytes >= 1e12) return `${decimal(bytes / 1e12, 2)}\u00a0To`;
  return bytes >= 1e9 ? `${decimal(bytes / 1e9, 2)}\u00a0Go` : `${decimal(bytes / 1e6, 1)}\u00a0Mo`;
}

/** `12 flux` / `1 caméra` @param {number} count @param {string} one @param {string} [many] @returns {string} */
export const plural = (count, one, many = `${one}s`) => `${number(count)}\u00a0${count < 2 ? one : many}`;

/**
 * A length of time: `3 s`, `2 min 05 s`, `1 h 12 min`.
 * @param {number} ms
 * @returns {string}
 */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}\u00a0s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}\u00a0min ${String(seconds % 60).padStart(2, "0")}\u00a0s`;
  return `${Math.floor(minutes / 60)}\u00a0h ${String(minutes % 60).padStart(2, "0")}\u00a0min`;
}

/**
 * The UTC milliseconds of a wall time of Europe/Paris typed in a `datetime-local` field.
 * @param {string} text `2026-11-24T08:26`
 * @returns {number|null}
 */
export function parseLocal(text) {
  const asUtc = Date.parse(`${text}Z`);
  if (Number.isNaN(asUtc)) return null;
  const first = asUtc - zoneOffset(asUtc);
  return asUtc - zoneOffset(first);
}

/** The value of a `datetime-local` field for an instant. @param {number} ms @returns {string} */
export const toLocalField = (ms) => new Date(ms + zoneOffset(ms)).toISOString().slice(0, 16);

/** The offset of Europe/Paris from UTC at an instant, in milliseconds. @param {number} ms @returns {number} */
export function zoneOffset(ms) {
  const parts = formatter({ year: "numeric", month: "numeric", day: "numeric", ...HMS }).formatToParts(ms);
  const value = Object.fromEntries(parts.map((part) => [part.type, Number(part.value)]));
  const shown = Date.UTC(value.year, value.month - 1, value.day, value.hour, value.minute, value.second);
  return shown - Math.floor(ms / 1000) * 1000;
}
