/** A WebSocket to the node that comes back by itself, after a pause that grows and is jittered. */

import { parseFrame } from "./protocol.js";

const PAUSE_FIRST_MS = 500;
const PAUSE_LAST_MS = 10_000;
const LAST_NUMBER = 65_535;

/** Emits `state` when the connection comes or goes. To be extended: `opened`, `told`, `gave` and `lost` are its hooks. */
export class Link extends EventTarget {
  #url;
  #socket = null;
  #pauseMs = PAUSE_FIRST_MS;
  #timer = 0;
  #closed = false;
  #nextNumber = 1;

  /** @param {string} url */
  constructor(url) {
    super();
    this.#url = url;
  }

  /** Whether the node can be spoken to now. @returns {boolean} */
  get connected() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Connect, unless it is done. */
  connect() {
    if (this.#closed || this.#socket) return;
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.addEventListener("open", () => this.#arrived());
    socket.addEventListener("message", (event) => this.#received(event.data));
    socket.addEventListener("close", () => this.#left(socket));
  }

  /** Say something; what is said while there is no connection is dropped. @param {any} message */
  send(message) {
    if (this.connected) this.#socket.send(JSON.stringify(message));
  }

  /** Close for good. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = null;
  }

  /** A number that is not in use. @param {Map<number, any>} used @returns {number} */
  freeNumber(used) {
    while (used.has(this.#nextNumber)) this.#nextNumber = (this.#nextNumber % LAST_NUMBER) + 1;
    const number = this.#nextNumber;
    this.#nextNumber = (number % LAST_NUMBER) + 1;
    return number;
  }

  /** Whether the connection is missed when it is gone. @returns {boolean} */
  get needed() {
    return true;
  }

  /** The connection is there. */
  opened() {}

  /** A message came. @param {any} message */
  told(message) {
    console.warn("message left aside", message.type);
  }

  /** A binary frame came. @param {any} frame as `parseFrame` reads it */
  gave(frame) {
    console.warn("frame left aside", frame.kind);
  }

  /** The connection is gone. */
  lost() {}

  #arrived() {
    this.#pauseMs = PAUSE_FIRST_MS;
    this.opened();
    this.dispatchEvent(new Event("state"));
  }

  #received(data) {
    if (typeof data === "string") {
      this.told(JSON.parse(data));
      return;
    }
    const frame = parseFrame(data);
    if (frame) this.gave(frame);
  }

  #left(socket) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    this.lost();
    this.dispatchEvent(new Event("state"));
    if (this.#closed || !this.needed) return;
    this.#timer = window.setTimeout(() => this.connect(), this.#pauseMs * (0.5 + Math.random() / 2));
    this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_LAST_MS);
  }
}
