/**
 * The one door to the centre's HTTP API.
 *
 * Every failure is an `ApiError` with a French sentence that may be shown as it is. `apiEvents` tells the rest of the
 * console what no single screen can answer for: `expired` (the session ended), `offline` and `online` (the network).
 */

const TIMEOUT_MS = 10_000;
const NO_LONGER_IN_FORCE = new Set(["access.suspended", "access.habilitation", "access.delegation"]);

/** Emits `expired`, `offline`, `online`. */
export const apiEvents = new EventTarget();

/** What the centre, or the lack of it, answered. */
export class ApiError extends Error {
  /**
   * @param {number} status HTTP status, 0 when the centre was not reached
   * @param {string} code stable code (`audit.unavailable`)
   * @param {string} message French sentence
   * @param {string} [hint] French sentence that says what to do
   * @param {number} [retryAfterS] seconds to wait, when the centre says so
   */
  constructor(status, code, message, hint = "", retryAfterS = 0) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.retryAfterS = retryAfterS;
  }

  /** The sentence and the hint, as one text. */
  get text() {
    return `${this.message} ${this.hint}`.trim();
  }
}

let csrfToken = "";
let online = true;

/** Keep the token that every unsafe call carries. @param {string} token */
export function useCsrf(token) {
  csrfToken = token;
}

/** Whether the last call reached the centre. @returns {boolean} */
export const isOnline = () => online;

/**
 * Read.
 * @param {string} path
 * @param {Record<string, string|number|null|undefined>} [query] empty values are left out
 * @returns {Promise<any>} the JSON answer
 * @throws {ApiError}
 */
export function get(path, query = {}) {
  return call(withQuery(path, query), { method: "GET" });
}

/**
 * Act.
 * @param {string} path
 * @param {any} [body] sent as JSON
 * @param {{keepalive?: boolean}} [options] `keepalive` lets the call outlive the page
 * @returns {Promise<any>} the JSON answer, or null
 * @throws {ApiError}
 */
export function post(path, body = {}, { keepalive = false } = {}) {
  return call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": csrfToken },
    body: JSON.stringify(body),
    keepalive,
  });
}

/**
 * Fetch a file, however long it takes.
 * @param {string} path
 * @param {Record<string, string|number|null|undefined>} query empty values are left out
 * @param {AbortSignal} signal stops it
 * @returns {Promise<{blob: Blob, name: string}>} the file, and the name that the centre gives it
 * @throws {ApiError}
 */
export async function download(path, query, signal) {
  const response = await send(withQuery(path, query), { method: "GET", signal });
  const [, name = "document"] = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "") ?? [];
  try {
    return { blob: await response.blob(), name };
  } catch {
    throw new ApiError(0, "file.cut", "Le fichier n’est pas arrivé en entier.", "Réessayez.");
  }
}

function withQuery(path, query) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text ? `${path}?${text}` : path;
}

async function call(path, init) {
  const response = await send(path, { signal: init.keepalive ? undefined : AbortSignal.timeout(TIMEOUT_MS), ...init });
  return response.status === 204 ? null : readJson(response);
}

async function send(path, init) {
  let response;
  try {
    response = await fetch(path, {
      credentials: "same-origin",
      cache: "no-store",
      ...init,
      headers: { Accept: "application/json", ...init.headers },
    });
  } catch (error) {
    if (error.name !== "AbortError") setOnline(false);
    throw new ApiError(0, "network.lost", "Le centre ne répond pas.", "La console réessaie d'elle-même.");
  }
  setOnline(true);
  if (response.ok) return response;
  throw await toError(response, path);
}

async function readJson(response) {
  const text = await response.text();
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(response.status, "answer.malformed", "La réponse du centre est illisible.");
  }
}

async function toError(response, path) {
  let answer = {};
  try {
    answer = (await response.json()) ?? {};
  } catch {
    answer = {};
  }
  const error = new ApiError(
    response.status,
    answer.code ?? `http.${response.status}`,
    answer.message ?? "Le centre a refusé la demande.",
    answer.hint ?? "",
    Number(response.headers.get("Retry-After") ?? answer.retry_after ?? 0) || 0,
  );
  if (path !== "/api/login") tellExpiry(error);
  return error;
}

/** A session that ended, and a person who may no longer use their account whatever the session says. */
function tellExpiry(error) {
  if (error.status === 401) apiEvents.dispatchEvent(new CustomEvent("expired", { detail: "" }));
  else if (NO_LONGER_IN_FORCE.has(error.code)) {
    apiEvents.dispatchEvent(new CustomEvent("expired", { detail: error.text }));
  }
}

function setOnline(value) {
  if (value === online) return;
  online = value;
  apiEvents.dispatchEvent(new Event(value ? "online" : "offline"));
}
