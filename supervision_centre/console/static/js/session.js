/**
 * Who is in front of the screen, what that person may do, why, and what time it is at the centre.
 */

import { get, post, useCsrf } from "./api.js";

/** Emits `purpose` when the purpose of the session changes. */
export const sessionEvents = new EventTarget();

let me = null;
let clockOffsetMs = 0;

/** The answer of `GET /api/me`, or null before the login. @returns {any} */
export const currentPerson = () => me;

/** Whether the person has a right (`live`, `playback`, `journal`, …). @param {string} right @returns {boolean} */
export const may = (right) => Boolean(me?.rights?.includes(right));

/** The centre's clock, in UTC milliseconds. @returns {number} */
export const now = () => Date.now() + clockOffsetMs;

/**
 * Ask the centre who is logged in.
 * @returns {Promise<any>} the person
 * @throws {import("./api.js").ApiError} 401 when nobody is
 */
export async function loadPerson() {
  const asked = Date.now();
  const answer = await get("/api/me");
  const half = (Date.now() - asked) / 2;
  const serverMs = Date.parse(answer.server_time ?? "");
  if (!Number.isNaN(serverMs)) clockOffsetMs = serverMs - asked - half;
  useCsrf(answer.csrf ?? "");
  me = answer;
  return me;
}

/** Open a session. @param {string} login @param {string} password */
export async function logIn(login, password) {
  await post("/api/login", { login, password });
  return loadPerson();
}

/** Close the session; the console forgets the person even when the centre is out of reach. */
export async function logOut() {
  try {
    await post("/api/logout");
  } finally {
    forget();
  }
}

/** Forget the person and the purpose, as after an expiry. */
export function forget() {
  if (me) sessionStorage.removeItem(purposeKey());
  me = null;
  useCsrf("");
}

const purposeKey = () => `vms.purpose.${me?.person?.id ?? ""}`;

/**
 * The purpose chosen for this session (LAW-04, LAW-27), or null.
 * @returns {{code: string, label: string, note: string}|null}
 */
export function purpose() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(purposeKey()) ?? "null");
    const known = me?.purposes?.find((one) => one.code === kept?.code);
    return known ? { code: known.code, label: known.label, note: kept.note ?? "" } : null;
  } catch {
    return null;
  }
}

/** Keep the purpose of this session. @param {string} code @param {string} [note] */
export function setPurpose(code, note = "") {
  sessionStorage.setItem(purposeKey(), JSON.stringify({ code, note }));
  sessionEvents.dispatchEvent(new Event("purpose"));
}
