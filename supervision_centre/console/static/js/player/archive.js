/**
 * The one WebSocket of the playback: each stream is a look at one camera, and gives the groups of pictures that it is asked
 * for. When the connection comes back, every stream is opened again with its newest ticket; what was asked before is not.
 */

import { Link } from "./link.js";
import { KIND_FRAGMENT, KIND_INIT } from "./protocol.js";
import { msOf, nsOf } from "./instants.js";

/**
 * @typedef {object} StreamReceiver what a stream is told; instants are UTC milliseconds
 * @property {(range: {originMs: number, endMs: number}) => void} opened it may be asked now
 * @property {(frame: {generation: number, bytes: Uint8Array}) => void} init what decodes the groups of a generation
 * @property {(frame: {generation: number, request: number, captureMs: number, bytes: Uint8Array}) => void} group
 * @property {(gap: {request: number, startMs: number, endMs: number, cause: string}) => void} gap nothing is recorded there,
 *   or, for the cause `damaged`, nothing that can be read
 * @property {(done: {request: number, nextMs: number|null, reason: string}) => void} done
 * @property {(refused: {request: number|null, code: string, message: string, hint: string}) => void} refused
 * @property {(cause: string) => void} ended
 * @property {() => void} lost the connection is gone; it comes back by itself
 */

/** Emits `state` when the connection comes or goes. */
export class Archive extends Link {
  #streams = new Map();

  /** @param {string} url `ws://host:8081`, the address of the gateway */
  constructor(url) {
    super(`${url.replace(/\/$/, "")}/playback`);
  }

  /**
   * Open a stream. It opens again after each reconnection until it is detached or has ended.
   * @param {string} ticket
   * @param {StreamReceiver} receiver
   * @returns {number} the number of the stream
   */
  attach(ticket, receiver) {
    const stream = this.freeNumber(this.#streams);
    this.#streams.set(stream, { ticket, receiver });
    this.send({ type: "open", stream, ticket });
    this.connect();
    return stream;
  }

  /**
   * Ask for groups of pictures.
   * @param {number} stream
   * @param {{request: number, fromMs: number, toMs: number, direction: "forward"|"reverse", frames: "all"|"key",
   *   limit: number}} what
   */
  fetch(stream, { request, fromMs, toMs, direction, frames, limit }) {
    this.send({ type: "fetch", stream, request, from: nsOf(fromMs), to: nsOf(toMs), direction, frames, limit });
  }

  /** Leave what was asked. @param {number} stream */
  cancel(stream) {
    this.send({ type: "cancel", stream });
  }

  /** Keep a stream alive. @param {number} stream @param {string} ticket */
  renew(stream, ticket) {
    const entry = this.#streams.get(stream);
    if (!entry) return;
    entry.ticket = ticket;
    this.send({ type: "renew", stream, ticket });
  }

  /** Close a stream. @param {number} stream */
  detach(stream) {
    if (this.#streams.delete(stream)) this.send({ type: "close", stream });
  }

  /** Close for good. */
  close() {
    this.#streams.clear();
    super.close();
  }

  /** Open every stream again. */
  opened() {
    for (const [stream, { ticket }] of this.#streams) this.send({ type: "open", stream, ticket });
  }

  /** Whether the connection is missed when it is gone. @returns {boolean} */
  get needed() {
    return this.#streams.size > 0;
  }

  /** A message for a stream. @param {any} message */
  told(message) {
    const receiver = this.#streams.get(message.stream)?.receiver;
    if (!receiver) return;
    const { request = null } = message;
    if (message.type === "opened") receiver.opened({ originMs: msOf(message.origin), endMs: msOf(message.end) });
    else if (message.type === "gap") {
      receiver.gap({ request, startMs: msOf(message.from), endMs: msOf(message.to), cause: message.cause ?? "" });
    } else if (message.type === "done") {
      const nextMs = message.next === null || message.next === undefined ? null : msOf(message.next);
      receiver.done({ request, nextMs, reason: message.reason });
    } else if (message.type === "error" && message.from) {
      receiver.gap({ request, startMs: msOf(message.from), endMs: msOf(message.to), cause: "damaged" });
    } else if (message.type === "error") {
      receiver.refused({ request, code: message.code, message: message.message ?? "", hint: message.hint ?? "" });
    } else if (message.type === "ended") {
      this.#streams.delete(message.stream);
      receiver.ended(message.cause);
    }
  }

  /** A frame for a stream. @param {any} frame */
  gave(frame) {
    const receiver = this.#streams.get(frame.tile)?.receiver;
    if (!receiver) return;
    if (frame.kind === KIND_INIT) receiver.init(frame);
    else if (frame.kind === KIND_FRAGMENT) receiver.group(frame);
  }

  /** Tell every stream. */
  lost() {
    for (const { receiver } of this.#streams.values()) receiver.lost();
  }
}
