/**
 * The one WebSocket of the wall. It carries every tile, comes back by itself after a growing and jittered pause, and opens
 * the tiles again with the newest ticket that each was given.
 */

import { KIND_FRAGMENT, KIND_INIT, parseFrame } from "./protocol.js";

const PAUSE_FIRST_MS = 500;
const PAUSE_LAST_MS = 10_000;
const LAST_TILE = 65_535;

/**
 * @typedef {object} Receiver what a tile is told
 * @property {(message: any) => void} stream
 * @property {(message: any) => void} status
 * @property {(message: any) => void} lag
 * @property {(message: any) => void} ended
 * @property {(frame: any) => void} init
 * @property {(frame: any) => void} fragment
 * @property {() => void} lost the socket is gone; it comes back by itself
 */

/** Emits `state` when the connection comes or goes. */
export class Gateway extends EventTarget {
  #url;
  #socket = null;
  #tiles = new Map();
  #nextTile = 1;
  #pauseMs = PAUSE_FIRST_MS;
  #timer = 0;
  #closed = false;

  /** @param {string} url `ws://host:8081`, the address of the gateway */
  constructor(url) {
    super();
    this.#url = `${url.replace(/\/$/, "")}/live`;
  }

  /** Whether the gateway can be spoken to now. @returns {boolean} */
  get connected() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Connect, unless it is done. */
  connect() {
    if (this.#closed || this.#socket) return;
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.addEventListener("open", () => this.#opened());
    socket.addEventListener("message", (event) => this.#received(event.data));
    socket.addEventListener("close", () => this.#lost(socket));
  }

  /**
   * Open a tile. It opens again after each reconnection until it is detached or has ended.
   * @param {string} ticket
   * @param {"main"|"sub"} role
   * @param {Receiver} receiver
   * @returns {number} the number of the tile
   */
  attach(ticket, role, receiver) {
    const tile = this.#freeNumber();
    this.#tiles.set(tile, { ticket, role, receiver });
    this.#send({ type: "open", tile, ticket, role });
    this.connect();
    return tile;
  }

  /** Keep a tile alive. @param {number} tile @param {string} ticket */
  renew(tile, ticket) {
    const entry = this.#tiles.get(tile);
    if (!entry) return;
    entry.ticket = ticket;
    this.#send({ type: "renew", tile, ticket });
  }

  /** Switch a tile between its streams. @param {number} tile @param {"main"|"sub"} role */
  setRole(tile, role) {
    const entry = this.#tiles.get(tile);
    if (!entry || entry.role === role) return;
    entry.role = role;
    this.#send({ type: "role", tile, role });
  }

  /** Close a tile. @param {number} tile */
  detach(tile) {
    if (this.#tiles.delete(tile)) this.#send({ type: "close", tile });
  }

  /** Close for good. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#tiles.clear();
    this.#socket?.close();
    this.#socket = null;
  }

  #freeNumber() {
    while (this.#tiles.has(this.#nextTile)) this.#nextTile = (this.#nextTile % LAST_TILE) + 1;
    const tile = this.#nextTile;
    this.#nextTile = (tile % LAST_TILE) + 1;
    return tile;
  }

  #send(message) {
    if (this.connected) this.#socket.send(JSON.stringify(message));
  }

  #opened() {
    this.#pauseMs = PAUSE_FIRST_MS;
    for (const [tile, { ticket, role }] of this.#tiles) this.#send({ type: "open", tile, ticket, role });
    this.dispatchEvent(new Event("state"));
  }

  #received(data) {
    if (typeof data !== "string") {
      this.#frame(parseFrame(data));
      return;
    }
    const message = JSON.parse(data);
    const entry = this.#tiles.get(message.tile);
    if (!entry) return;
    if (message.type === "ended") {
      this.#tiles.delete(message.tile);
      entry.receiver.ended(message);
    } else if (message.type === "stream" || message.type === "status" || message.type === "lag") {
      entry.receiver[message.type](message);
    } else if (message.type === "error") console.warn("gateway refused a message", message.code);
  }

  #frame(frame) {
    const receiver = frame && this.#tiles.get(frame.tile)?.receiver;
    if (!receiver) return;
    if (frame.kind === KIND_INIT) receiver.init(frame);
    else if (frame.kind === KIND_FRAGMENT) receiver.fragment(frame);
  }

  #lost(socket) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    for (const { receiver } of this.#tiles.values()) receiver.lost();
    this.dispatchEvent(new Event("state"));
    if (this.#closed) return;
    this.#timer = window.setTimeout(() => this.connect(), this.#pauseMs * (0.5 + Math.random() / 2));
    this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_LAST_MS);
  }
}
