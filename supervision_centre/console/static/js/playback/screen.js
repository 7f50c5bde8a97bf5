/** The playback: up to four cameras in step, their time line, and what the operator does with them. */

import { get } from "../api.js";
import { MOST_CAMERAS } from "../player/deck.js";
import { SPEEDS, shuttled } from "../player/head.js";
import { go } from "../router.js";
import { currentPerson, may, now } from "../session.js";
import { announce, fill, h, setText } from "../ui/dom.js";
import { clockTime } from "../ui/format.js";
import { clearNotice, passingNotice, showNotice } from "../ui/notices.js";
import { CameraList } from "../wall/camera_list.js";
import { Controls, headText } from "./controls.js";
import { HeadLine } from "./head_line.js";
import { holdButton } from "./hold.js";
import { askInstant } from "./instant.js";
import { playbackKeys } from "./keys.js";
import { Markers } from "./markers.js";
import { Review } from "./review.js";
import { PlaybackStage } from "./stage.js";
import { Stills } from "./stills.js";
import { gapAt } from "./timeline.js";
import { describeGaps, TimelineView } from "./timeline_view.js";

const FIRST_RANGE_MS = 3_600_000;
const REFRESH_EVERY_MS = 10_000;
const MARGIN_SHARE = 0.5;
const LINK_PATIENCE_MS = 1_500;
const LIVE_MS = 4_000;

/**
 * Show the playback.
 * @param {HTMLElement} place
 * @param {URLSearchParams} parameters `camera`: the one to open, or several with commas; `at`: an instant (RFC 3339)
 * @returns {import("../router.js").Mounted}
 */
export function mountPlayback(place, parameters) {
  const playback = new Playback(place);
  playback.start(parameters);
  return { unmount: () => playback.stop(), update: (next) => playback.open(next) };
}

class Playback {
  #known = new Map();
  #timer = 0;
  #linkTimer = 0;
  #stopped = false;
  #gaps = h("p", { class: "note", role: "status" });
  #line = new HeadLine();
  #stills = new Stills(currentPerson().media_url);
  #review = new Review(currentPerson().gateway_url, {
    moved: () => this.#moved(),
    condition: (id, condition, details) => this.#condition(id, condition, details),
    disowned: (id, range) => this.#disowned(id, range),
    jumped: (fromMs, toMs) => this.#stage.jumped(fromMs, toMs),
    nothing: (ms, found) => this.#nothing(ms, found),
    refused: (id, error) => this.#refused(id, error),
    looked: () => this.#looked(),
    finished: () => passingNotice("Fin des images enregistrées. D pour revenir au direct."),
    link: (connected) => this.#link(connected),
  });
  #stage = new PlaybackStage({
    add: (camera) => this.#review.add(camera),
    remove: (id) => this.#review.remove(id),
    changed: (ids) => this.#arranged(ids),
    activated: () => this.#showStills(),
    go: (ms) => this.#goTo(ms, true),
  });
  #markers = new Markers({ go: (ms) => this.#goTo(ms), changed: (list) => this.#view.setMarkers(list) });
  #view = new TimelineView({
    play: (ms) => this.#goTo(ms, true),
    ranged: () => this.#load(),
    still: (ms, exact) => this.#stills.near(ms, exact),
  });
  #list = new CameraList({
    label: "Caméras à relire", pick: (camera) => this.#stage.choose([camera]), add: (camera) => this.#stage.toggle(camera),
  });
  #controls;
  #keys;

  constructor(place) {
    const actions = this.#actions();
    const hold = holdButton(() => ({ camera: this.#stage.active, headMs: this.#review.head.ms, markersMs: this.#markers.list }));
    this.#controls = new Controls(actions, hold);
    this.#keys = playbackKeys(actions);
    fill(
      place,
      h("div", { class: "with-cameras" }, this.#list.element, h(
        "section",
        { class: "playback" },
        this.#line.element,
        this.#stage.element,
        this.#controls.element,
        h("div", { class: "playback__line" }, this.#view.element, this.#stills.element),
        h("div", { class: "playback__foot" }, this.#controls.zoom, this.#view.legend, this.#gaps, this.#markers.element),
      )),
    );
    document.addEventListener("keydown", this.#keys);
    window.addEventListener("pagehide", this.#left);
    this.#timer = window.setInterval(() => !document.hidden && this.#load(), REFRESH_EVERY_MS);
  }

  async start(parameters) {
    try {
      const { cameras } = await get("/api/cameras");
      if (this.#stopped) return;
      this.#known = new Map(cameras.map((camera) => [camera.id, camera]));
      this.#list.setCameras(cameras);
      this.open(parameters);
    } catch (error) {
      if (error.status !== 401) this.#stage.say(error.text);
    }
  }

  open(parameters) {
    const ids = (parameters.get("camera") ?? "").split(",").filter((id) => this.#known.has(id));
    if (ids.length === 0) return;
    this.#stage.choose(ids.slice(0, MOST_CAMERAS).map((id) => this.#known.get(id)));
    const atMs = Date.parse(parameters.get("at") ?? "");
    if (!Number.isNaN(atMs)) this.#goTo(atMs);
  }

  stop() {
    this.#stopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#linkTimer);
    document.removeEventListener("keydown", this.#keys);
    window.removeEventListener("pagehide", this.#left);
    this.#review.stop();
    this.#stills.stop();
    this.#view.remove();
    clearNotice("audit");
    clearNotice("gateway");
    clearNotice("disowned");
  }

  #actions() {
    const review = this.#review;
    const { head } = review;
    const active = (act) => (...values) => review.active && act(...values);
    return {
      toggle: active(() => (head.playing ? head.hold() : head.play(1, head.direction > 0 ? head.speed : 1))),
      shuttle: active((direction) => head.play(direction, shuttled(head, direction))),
      step: active((direction) => review.step(this.#stage.active, direction)),
      skip: active((seconds) => review.skip(seconds)),
      speed: (speed) => head.setSpeed(speed),
      faster: (by) => head.setSpeed(SPEEDS[Math.min(Math.max(SPEEDS.indexOf(head.speed) + by, 0), SPEEDS.length - 1)]),
      undo: (direction) => review.undo(direction),
      instant: () => this.#askInstant(),
      mark: active(() => this.#mark()),
      marker: active((direction) => this.#toMarker(direction)),
      zoom: (step) => this.#view.zoom(step),
      live: () => this.#stage.active && may("live") && go("mur", { camera: this.#stage.active }),
      search: () => this.#list.focusSearch(),
    };
  }

  #arranged(ids) {
    this.#list.setCurrent(...ids);
    this.#showLines();
    if (ids.length === 0) this.#view.setCursor(null);
    const first = this.#view.range.endMs < FIRST_RANGE_MS;
    if (first && ids.length > 0) this.#view.setRange({ startMs: now() - FIRST_RANGE_MS, endMs: now() });
    else this.#load();
  }

  async #load() {
    const { ids } = this.#stage;
    const { startMs, endMs } = this.#view.range;
    const margin = (endMs - startMs) * MARGIN_SHARE;
    this.#showStills();
    if (ids.length === 0) return;
    try {
      const newest = await this.#review.timelines.load(ids, { startMs: startMs - margin, endMs: endMs + margin });
      if (newest && !this.#stopped) this.#showLines();
    } catch (error) {
      if (error.status !== 401) setText(this.#gaps, error.text);
    }
  }

  #showLines() {
    const lines = this.#stage.ids.map((id) => this.#review.timelines.of(id));
    this.#view.setLines(lines);
    if (lines.length > 0) describeGaps(this.#gaps, lines, this.#view.range);
    else setText(this.#gaps, "");
  }

  #showStills() {
    this.#stills.show(this.#review.looks.find((look) => look.cameraId === this.#stage.active) ?? null, this.#view.range);
  }

  async #goTo(ms, play = null) {
    const { startMs, endMs } = this.#view.range;
    const half = (endMs - startMs) / 2;
    if (ms < startMs || ms > endMs) this.#view.setRange({ startMs: ms - half, endMs: ms + half });
    await this.#review.goTo(ms, { play });
  }

  async #askInstant() {
    if (this.#stage.ids.length === 0) return;
    const ms = await askInstant(this.#review.active ? this.#review.head.ms : now() - 60_000);
    if (ms !== null && !this.#stopped) this.#goTo(Math.min(ms, now() - LIVE_MS));
  }

  #mark() {
    const { ms } = this.#review.head;
    const marked = this.#markers.toggle(ms);
    passingNotice(marked ? `Repère posé à ${clockTime(ms)}` : `Repère de ${clockTime(ms)} ôté`, { undo: () => this.#markers.toggle(ms) });
  }

  #toMarker(direction) {
    const ms = this.#markers.neighbour(this.#review.head.ms, direction);
    if (ms !== null) this.#goTo(ms);
  }

  #moved() {
    const { head, active } = this.#review;
    for (const [id, tile] of this.#stage.tiles) {
      const shownMs = this.#review.shownMs(id);
      if (shownMs !== null) tile.setShown(shownMs);
    }
    this.#updateControls();
    if (!active) return;
    this.#line.setHead(head.ms, headText(head));
    this.#view.setCursor(head.ms);
  }

  #updateControls() {
    const { head, trail, active } = this.#review;
    this.#controls.update(head, { active, canGoBack: trail.canGoBack, canGoForward: trail.canGoForward });
  }

  #condition(id, condition, details) {
    const tile = this.#stage.tiles.get(id);
    if (condition === "gap") {
      const gap = gapAt(this.#review.timelines.of(id), details.startMs + 1);
      tile?.show(condition, { ...details, label: gap?.label });
    } else tile?.show(condition, details);
    if (condition === "shown") this.#review.settled(id);
  }

  #nothing(ms, { gaps, nextMs, previousMs }) {
    this.#view.setCursor(ms);
    for (const [id, tile] of this.#stage.tiles) tile.showNothing(ms, { gap: gaps.get(id), nextMs, previousMs });
    announce("Rien n’est enregistré à cet instant.");
  }

  #disowned(id, { startMs, endMs }) {
    const place = `${this.#known.get(id)?.name ?? ""}, de ${clockTime(startMs)} à ${clockTime(endMs)}`;
    const sentence = "les images montrées ne sont pas celles qui ont été enregistrées. Prévenez l’administrateur.";
    showNotice("disowned", `${place}\u00a0: ${sentence}`, { action: { label: "Compris", run: () => clearNotice("disowned") } });
  }

  #refused(id, error) {
    const text = error.text ?? "La consultation n’a pas pu être ouverte.";
    if (error.code === "audit.unavailable") showNotice("audit", text);
    this.#stage.tiles.get(id)?.show("refused", { text, code: error.code });
    announce(text);
  }

  #looked() {
    const { looks } = this.#review;
    if (looks.length > 0) clearNotice("audit");
    this.#line.setLooks(looks);
    this.#view.setLooks(looks.map((look) => ({ startMs: look.fromMs, endMs: look.toMs })));
    this.#updateControls();
    this.#showStills();
  }

  #link(connected) {
    clearTimeout(this.#linkTimer);
    if (connected) clearNotice("gateway");
    else if (this.#review.active) {
      const sentence = "La liaison avec l’enregistreur est interrompue. Reconnexion en cours.";
      this.#linkTimer = window.setTimeout(() => showNotice("gateway", sentence, { caution: true }), LINK_PATIENCE_MS);
    }
  }

  #left = () => this.#review.stop();
}
