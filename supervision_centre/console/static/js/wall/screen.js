/** The wall: cameras at the left, live images at the right, and what stands behind them at the foot. */

import { get } from "../api.js";
import { Gateway } from "../player/gateway.js";
import { go } from "../router.js";
import { currentPerson, loadPerson, may, purpose, sessionEvents } from "../session.js";
import { fill, h, setText } from "../ui/dom.js";
import { number, plural } from "../ui/format.js";
import { isTyping } from "../ui/keys.js";
import { clearNotice, passingNotice, showNotice } from "../ui/notices.js";
import { askPurpose } from "../ui/purpose.js";
import { CameraList } from "./camera_list.js";
import { causeSentence, FINAL_CAUSES } from "./causes.js";
import { Leases } from "./leases.js";
import { Stage } from "./stage.js";
import { Streams } from "./streams.js";
import { Tile } from "./tile.js";

const STATUS_EVERY_MS = 10_000;
const INSPECT_EVERY_MS = 1_000;
const GATEWAY_PATIENCE_MS = 1_500;

/**
 * Show the wall.
 * @param {HTMLElement} place
 * @param {URLSearchParams} parameters `camera`: one to enlarge at once
 * @returns {import("../router.js").Mounted}
 */
export function mountWall(place, parameters) {
  const wall = new Wall(place);
  wall.start(parameters.get("camera") ?? "");
  return { unmount: () => wall.stop(), update: (next) => wall.enlarge(next.get("camera") ?? "") };
}

class Wall {
  #gateway = new Gateway(currentPerson().gateway_url);
  #streams = new Streams(this.#gateway, {
    tile: (camera) => this.#tile(camera),
    role: (camera) => this.#role(camera),
    condition: (camera, condition) => this.#list.setCondition(camera, condition),
    ended: (camera, cause) => this.#streamEnded(camera, cause),
  });
  #leases = new Leases({
    opened: (session) => this.#opened(session),
    renewed: (camera, ticket) => this.#streams.renewed(camera, ticket),
    ended: (camera, cause) => this.#sessionEnded(camera, cause),
    refused: (camera, error) => this.#tile(camera)?.stop("refused", { sentence: error.message }),
    unavailable: (error) => this.#unavailable(error),
    recovered: () => clearNotice("audit"),
  });
  #list = new CameraList({
    label: "Caméras",
    pick: (camera) => this.#stage.enlarge(camera.id),
    filtered: (cameras) => this.#stage.setCameras(cameras),
  });
  #stage = new Stage({
    makeTile: (camera, on) => new Tile(camera, on),
    dropTile: (tile) => this.#drop(tile),
    changed: (ids, enlarged, large) => this.#arranged(ids, enlarged, large),
    replay: (id) => may("playback") && go("relecture", { camera: id }),
  });
  #place;
  #cameras = new Map();
  #large = false;
  #receipts = [];
  #timers = [];
  #gatewayTimer = 0;
  #stopped = false;
  #receiptText = h("p", { class: "foot__receipt" });
  #liveText = h("p", { class: "foot__live figures" });
  #empty = h("div", { class: "empty", hidden: true });

  constructor(place) {
    this.#place = place;
    fill(
      place,
      h("h1", { class: "visually-hidden", text: "Mur d’images en direct" }),
      h(
        "div",
        { class: "with-cameras" },
        this.#list.element,
        h(
          "div",
          { class: "wall" },
          this.#stage.element,
          this.#empty,
          h("footer", { class: "foot" }, this.#receiptText, this.#stage.pager, this.#liveText),
        ),
      ),
    );
    this.#gateway.addEventListener("state", this.#gatewayChanged);
    sessionEvents.addEventListener("purpose", this.#purposeChanged);
    document.addEventListener("visibilitychange", this.#seen);
    document.addEventListener("keydown", this.#key);
    window.addEventListener("pagehide", this.#left);
    this.#timers.push(
      window.setInterval(() => this.#refresh(), STATUS_EVERY_MS),
      window.setInterval(() => this.#inspect(), INSPECT_EVERY_MS),
    );
  }

  async start(enlarged) {
    if (!(await this.#load())) return;
    if (purpose() === null) {
      this.#noPurpose();
      await askPurpose();
      if (this.#stopped || purpose() === null) return;
    }
    this.#begin();
    this.enlarge(enlarged);
  }

  enlarge(id) {
    if (id && purpose()) this.#stage.enlarge(id);
  }

  stop() {
    this.#stopped = true;
    this.#timers.forEach(clearInterval);
    clearTimeout(this.#gatewayTimer);
    this.#gateway.removeEventListener("state", this.#gatewayChanged);
    sessionEvents.removeEventListener("purpose", this.#purposeChanged);
    document.removeEventListener("visibilitychange", this.#seen);
    document.removeEventListener("keydown", this.#key);
    window.removeEventListener("pagehide", this.#left);
    this.#leases.stop();
    this.#gateway.close();
    for (const tile of this.#stage.tiles) tile.remove();
    clearNotice("audit");
    clearNotice("gateway");
    fill(this.#place);
  }

  async #load() {
    try {
      const { cameras } = await get("/api/cameras");
      if (this.#stopped) return false;
      this.#cameras = new Map(cameras.map((camera) => [camera.id, camera]));
      this.#list.setCameras(cameras);
      return true;
    } catch (error) {
      if (this.#stopped || error.status === 401) return false;
      this.#say(error.text, { label: "Réessayer", run: () => this.start("") });
      return false;
    }
  }

  #begin() {
    this.#empty.hidden = true;
    this.#stage.element.hidden = false;
    this.#gateway.connect();
    this.#stage.setCameras(this.#list.visible);
    if (this.#cameras.size === 0) this.#say("Aucune caméra en service dans votre périmètre.");
  }

  #noPurpose() {
    this.#say("Choisissez la finalité pour voir les images.", { label: "Choisir la finalité", run: () => askPurpose() });
  }

  #say(text, action = null) {
    this.#stage.element.hidden = true;
    this.#empty.hidden = false;
    fill(
      this.#empty,
      h("p", { text }),
      action && h("button", { class: "button button--primary", type: "button", text: action.label, on: { click: action.run } }),
    );
  }

  #tile(camera) {
    return this.#stage.tiles.find((tile) => tile.cameraId === camera);
  }

  #arranged(ids, enlarged, large) {
    this.#large = large;
    this.#list.setCurrent(enlarged);
    this.#streams.updateRoles();
    const reason = purpose();
    if (reason && !this.#stopped) this.#leases.want(ids, reason);
  }

  #role(camera) {
    const wide = this.#large || this.#stage.enlarged === camera;
    return wide || !this.#cameras.get(camera)?.has_sub ? "main" : "sub";
  }

  #opened(session) {
    this.#streams.attach(session.camera, session.ticket);
    this.#tile(session.camera)?.setReceipt(session.receipt?.index ?? null);
    if (!session.receipt) return;
    if (this.#receipts.length === 0) queueMicrotask(() => this.#showReceipts());
    this.#receipts.push(session.receipt.index);
  }

  #showReceipts() {
    const first = Math.min(...this.#receipts);
    const last = Math.max(...this.#receipts);
    this.#receipts = [];
    setText(
      this.#receiptText,
      first === last
        ? `Consultation n°\u00a0${number(first)} inscrite au journal`
        : `Consultations n°\u00a0${number(first)} à ${number(last)} inscrites au journal`,
    );
  }

  #drop(tile) {
    this.#streams.detach(tile.cameraId);
    tile.remove();
  }

  /** The gateway ended a stream; the centre knows whether the session may go on. */
  #streamEnded(camera, cause) {
    this.#tile(camera)?.stop("stopped", { sentence: causeSentence(cause), sinceMs: Date.now() });
    if (FINAL_CAUSES.has(cause)) {
      this.#leases.giveUp(camera);
      loadPerson().catch(() => {});
    } else if (cause !== "closed") this.#leases.renewNow();
  }

  #sessionEnded(camera, cause) {
    this.#streams.detach(camera);
    const tile = this.#tile(camera);
    if (cause === "unavailable") tile?.stop("unavailable", { sentence: "Le journal des accès ne répond pas." });
    else tile?.stop("stopped", { sentence: causeSentence(cause), sinceMs: Date.now() });
    tile?.setReceipt(null);
    if (FINAL_CAUSES.has(cause)) this.#leases.giveUp(camera);
  }

  #unavailable(error) {
    if (error.code !== "network.lost") showNotice("audit", error.text);
    for (const tile of this.#stage.tiles) {
      if (!this.#leases.session(tile.cameraId)) tile.stop("unavailable", { sentence: error.message });
    }
  }

  #gatewayChanged = () => {
    if (this.#gateway.connected) {
      clearTimeout(this.#gatewayTimer);
      this.#gatewayTimer = 0;
      clearNotice("gateway");
    } else if (this.#gatewayTimer === 0) {
      this.#gatewayTimer = window.setTimeout(
        () => showNotice("gateway", "La liaison avec l’enregistreur est interrompue. Reconnexion en cours.", { caution: true }),
        GATEWAY_PATIENCE_MS,
      );
    }
  };

  #purposeChanged = () => {
    if (purpose() === null || this.#stopped) return;
    if (this.#stage.tiles.length > 0) passingNotice(`Finalité\u00a0: ${purpose().label}`);
    this.#begin();
  };

  #seen = () => {
    if (document.hidden) return;
    this.#leases.renewNow();
    for (const tile of this.#stage.tiles) tile.resume();
  };

  #left = () => this.#leases.stop();

  #key = (event) => {
    if (isTyping(event) || event.defaultPrevented) return;
    if (event.key === "/" && !document.fullscreenElement) this.#list.focusSearch();
    else if (document.activeElement !== document.body || !this.#stage.handleKey(event.key)) {
      if (event.key !== "Escape" || !this.#stage.handleKey("Escape")) return;
    }
    event.preventDefault();
  };

  async #refresh() {
    if (document.hidden) return;
    try {
      const { cameras } = await get("/api/cameras");
      for (const camera of cameras) this.#status(camera);
    } catch {
      // The network notice says it, and the next round asks again.
    }
  }

  #status(camera) {
    const tile = this.#tile(camera.id);
    const condition = tile?.element.dataset.condition;
    if (!tile) this.#list.setCondition(camera.id, camera.status?.condition);
    else if (condition === "no_signal" && camera.status?.condition === "no_signal" && camera.status.message) {
      tile.show("no_signal", { sentence: camera.status.message, sinceMs: Date.parse(camera.status.since) || null });
    }
  }

  #inspect() {
    const atMs = performance.now();
    const tiles = this.#stage.tiles;
    for (const tile of tiles) tile.inspect(atMs);
    const live = tiles.filter((tile) => tile.element.dataset.condition === "live").length;
    setText(this.#liveText, tiles.length > 0 ? `${plural(live, "image")} en direct sur ${number(tiles.length)}` : "");
  }
}
