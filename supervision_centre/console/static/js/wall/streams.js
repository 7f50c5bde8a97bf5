/** Which tile of the gateway shows which camera, under the newest ticket that the leases gave. */

/** The streams of one wall. */
export class Streams {
  #gateway;
  #on;
  #numbers = new Map();

  /**
   * @param {import("../player/gateway.js").Gateway} gateway
   * @param {{tile: (camera: string) => import("./tile.js").Tile|undefined, role: (camera: string) => "main"|"sub",
   *   condition: (camera: string, condition: string) => void, ended: (camera: string, cause: string) => void}} on
   *   `ended`: the gateway ended a stream
   */
  constructor(gateway, on) {
    this.#gateway = gateway;
    this.#on = on;
  }

  /** Show a camera, anew if it was shown. @param {string} camera @param {string} ticket */
  attach(camera, ticket) {
    const tile = this.#on.tile(camera);
    if (!tile) return;
    this.detach(camera);
    const receiver = tile.receiver({
      ended: (message) => {
        this.#numbers.delete(camera);
        this.#on.ended(camera, message.cause);
      },
      condition: (condition) => this.#on.condition(camera, condition),
    });
    tile.show("connecting");
    this.#numbers.set(camera, this.#gateway.attach(ticket, this.#on.role(camera), receiver));
  }

  /** Show it no longer. @param {string} camera */
  detach(camera) {
    const number = this.#numbers.get(camera);
    if (number === undefined) return;
    this.#numbers.delete(camera);
    this.#gateway.detach(number);
  }

  /** A lease was renewed; a stream that the gateway had ended begins again. @param {string} camera @param {string} ticket */
  renewed(camera, ticket) {
    const number = this.#numbers.get(camera);
    if (number === undefined) this.attach(camera, ticket);
    else this.#gateway.renew(number, ticket);
  }

  /** Take the stream that each tile's size calls for. */
  updateRoles() {
    for (const [camera, number] of this.#numbers) this.#gateway.setRole(number, this.#on.role(camera));
  }
}
