/** The one WebSocket of the wall: it carries every tile, and opens them again with their newest ticket when it comes back. */

import { Link } from "./link.js";
import { KIND_FRAGMENT, KIND_INIT } from "./protocol.js";

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
export class Gateway extends Link {
  #tiles = new Map();

  /** @param {string} url `ws://host:8081`, the address of the gateway */
  constructor(url) {
    super(`${url.replace(/\/$/, "")}/live`);
  }

  /**
   * Open a tile. It opens again after each reconnection until it is detached or has ended.
   * @param {string} ticket
   * @param {"main"|"sub"} role
   * @param {Receiver} receiver
   * @returns {number} the number of the tile
   */
  attach(ticket, role, receiver) {
    const tile = this.freeNumber(this.#tiles);
    this.#tiles.set(tile, { ticket, role, receiver });
    this.send({ type: "open", tile, ticket, role });
    this.connect();
    return tile;
  }

  /** Keep a tile alive. @param {number} tile @param {string} ticket */
  renew(tile, ticket) {
    const entry = this.#tiles.get(tile);
    if (!entry) return;
    entry.ticket = ticket;
    this.send({ type: "renew", tile, ticket });
  }

  /** Switch a tile between its streams. @param {number} tile @param {"main"|"sub"} role */
  setRole(tile, role) {
    const entry = this.#tiles.get(tile);
    if (!entry || entry.role === role) return;
    entry.role = role;
    this.send({ type: "role", tile, role });
  }

  /** Close a tile. @param {number} tile */
  detach(tile) {
    if (this.#tiles.delete(tile)) this.send({ type: "close", tile });
  }

  /** Close for good. */
  close() {
    this.#tiles.clear();
    super.close();
  }

  /** Open every tile again. */
  opened() {
    for (const [tile, { ticket, role }] of this.#tiles) this.send({ type: "open", tile, ticket, role });
  }

  /** A message for a tile. @param {any} message */
  told(message) {
    const entry = this.#tiles.get(message.tile);
    if (!entry) return;
    if (message.type === "ended") {
      this.#tiles.delete(message.tile);
      entry.receiver.ended(message);
    } else if (message.type === "stream" || message.type === "status" || message.type === "lag") {
      entry.receiver[message.type](message);
    } else if (message.type === "error") console.warn("gateway refused a message", message.code);
  }

  /** A frame for a tile. @param {any} frame */
  gave(frame) {
    const receiver = this.#tiles.get(frame.tile)?.receiver;
    if (!receiver) return;
    if (frame.kind === KIND_INIT) receiver.init(frame);
    else if (frame.kind === KIND_FRAGMENT) receiver.fragment(frame);
  }

  /** Tell every tile. */
  lost() {
    for (const { receiver } of this.#tiles.values()) receiver.lost();
  }
}
