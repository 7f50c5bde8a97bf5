/** The playback: a camera, its time line, and its recorded images (one entry in the journal for each look). */

import { get } from "../api.js";
import { RecordingPlayer } from "../player/recording_player.js";
import { go } from "../router.js";
import { currentPerson, may, now } from "../session.js";
import { announce, fill, h, setText } from "../ui/dom.js";
import { clockTime, dateTime, duration, longDate, number, preciseTime, utcTime } from "../ui/format.js";
import { isTyping } from "../ui/keys.js";
import { clearNotice, passingNotice, showNotice } from "../ui/notices.js";
import { askPlaybackReason } from "../ui/purpose.js";
import { CameraList } from "../wall/camera_list.js";
import { causeSentence } from "../wall/causes.js";
import { Controls, makeClock } from "./controls.js";
import { Look } from "./look.js";
import { playableFrom, readTimeline } from "./timeline.js";
import { describeGaps, TimelineView } from "./timeline_view.js";

const FIRST_RANGE_MS = 3_600_000;
const REFRESH_EVERY_MS = 10_000;
const BEFORE_MS = 60_000;
const AFTER_MS = 1_800_000;
const FRESH_MS = 3_000;
const MARGIN_SHARE = 0.5;

/**
 * Show the playback.
 * @param {HTMLElement} place
 * @param {URLSearchParams} parameters `camera`: the one to open
 * @returns {import("../router.js").Mounted}
 */
export function mountPlayback(place, parameters) {
  const playback = new Playback(place);
  playback.start(parameters.get("camera") ?? "");
  return { unmount: () => playback.stop(), update: (next) => playback.choose(next.get("camera") ?? "") };
}

class Playback {
  #cameras = new Map();
  #camera = null;
  #look = null;
  #reason = null;
  #timeline = { spans: [], gaps: [] };
  #asking = 0;
  #timer = 0;
  #busy = false;
  #stopped = false;
  #video = h("video", { class: "player__video", muted: true });
  #cover = h("div", { class: "player__cover" });
  #jump = h("p", { class: "player__jump", role: "status", hidden: true });
  #heading = h("h1", { class: "player__name", text: "Relecture" });
  #where = h("p", { class: "player__where note" });
  #receipt = h("p", { class: "note player__receipt" });
  #gaps = h("p", { class: "note", role: "status" });
  #watch = makeClock();
  #player = new RecordingPlayer(this.#video, currentPerson().media_url, {
    shown: (ms) => this.#shown(ms),
    jumped: (fromMs, toMs) => this.#jumped(fromMs, toMs),
    ended: () => this.#ended(),
    failed: (error) => this.#failed(error.message),
  });
  #controls = new Controls({
    toggle: () => this.#toggle(),
    step: (direction) => this.#player.step(direction),
    skip: (seconds) => this.#skip(seconds),
    speed: (rate) => this.#player.setRate(rate),
    live: () => this.#live(),
    zoom: (step) => this.#view.zoom(step),
  });
  #view = new TimelineView({ play: (ms) => this.#playFrom(ms), ranged: () => this.#load() });
  #list = new CameraList({ label: "Caméras à relire", pick: (camera) => this.choose(camera.id) });
  #body;

  constructor(place) {
    this.#body = h(
      "section",
      { class: "playback" },
      h("header", { class: "player__head" }, h("div", {}, this.#heading, this.#where), this.#watch.element),
      h("div", { class: "player" }, this.#video, this.#cover, this.#jump),
      this.#controls.element,
      this.#view.element,
      h("div", { class: "playback__foot" }, this.#view.legend, this.#gaps, this.#receipt),
    );
    fill(place, h("div", { class: "with-cameras" }, this.#list.element, this.#body));
    for (const event of ["play", "pause", "emptied"]) {
      this.#video.addEventListener(event, () => this.#controls.setPlaying(this.#player.active && !this.#video.paused));
    }
    this.#say("Choisissez une caméra dans la liste.");
    document.addEventListener("keydown", this.#key);
    window.addEventListener("pagehide", this.#left);
    this.#timer = window.setInterval(() => this.#camera && !document.hidden && this.#load(), REFRESH_EVERY_MS);
  }

  async start(id) {
    try {
      const { cameras } = await get("/api/cameras");
      if (this.#stopped) return;
      this.#cameras = new Map(cameras.map((camera) => [camera.id, camera]));
      this.#list.setCameras(cameras);
      this.choose(id);
    } catch (error) {
      if (error.status !== 401) this.#say(error.text);
    }
  }

  choose(id) {
    const camera = this.#cameras.get(id);
    if (!camera || camera === this.#camera) return;
    this.#end();
    this.#camera = camera;
    this.#reason = null;
    this.#list.setCurrent(id);
    setText(this.#heading, camera.name);
    setText(this.#where, [camera.commune_name, camera.authority && `Autorité\u00a0: ${camera.authority}`].filter(Boolean).join(" · "));
    this.#video.dataset.camera = id;
    this.#say("Choisissez un instant sur la ligne de temps.");
    this.#view.setCursor(null);
    this.#view.setRange({ startMs: now() - FIRST_RANGE_MS, endMs: now() });
  }

  stop() {
    this.#stopped = true;
    clearInterval(this.#timer);
    document.removeEventListener("keydown", this.#key);
    window.removeEventListener("pagehide", this.#left);
    this.#end();
    this.#view.remove();
    clearNotice("audit");
  }

  async #load() {
    const asked = (this.#asking += 1);
    const { startMs, endMs } = this.#view.range;
    const margin = (endMs - startMs) * MARGIN_SHARE;
    try {
      const answer = await get(`/api/cameras/${encodeURIComponent(this.#camera.id)}/timeline`, {
        from: new Date(startMs - margin).toISOString(),
        to: new Date(Math.min(endMs + margin, now())).toISOString(),
      });
      if (asked !== this.#asking || this.#stopped) return;
      this.#timeline = readTimeline(answer, now());
      this.#view.setTimeline(this.#timeline);
      describeGaps(this.#gaps, this.#timeline, this.#view.range);
    } catch (error) {
      if (asked === this.#asking && error.status !== 401) setText(this.#gaps, error.text);
    }
  }

  async #playFrom(ms) {
    if (!this.#camera || this.#busy) return;
    const from = playableFrom(this.#timeline, ms);
    if (from === null) {
      passingNotice("Rien n’est enregistré à partir de cet instant.");
      return;
    }
    this.#busy = true;
    try {
      await this.#playRecorded(Math.round(from));
    } finally {
      this.#busy = false;
    }
  }

  async #playRecorded(ms) {
    if (this.#look?.holds(this.#camera.id, ms)) {
      if (!this.#player.active || !this.#player.seek(ms)) this.#read(ms);
      else this.#player.resume();
      return;
    }
    const what = { cameraId: this.#camera.id, fromMs: ms - BEFORE_MS, toMs: Math.round(Math.min(ms + AFTER_MS, now())) };
    if (!this.#reason) {
      const range = `${dateTime(what.fromMs)} à ${clockTime(what.toMs)}`;
      this.#reason = await askPlaybackReason({ camera: `${this.#camera.name}, ${this.#camera.commune_name}`, range });
    }
    if (!this.#reason || this.#stopped) return;
    try {
      const look = await Look.open(
        { ...what, reason: this.#reason },
        { mediaUrl: currentPerson().media_url, ended: (cause) => this.#revoked(cause) },
      );
      this.#look?.close();
      this.#look = look;
      if (this.#stopped) {
        this.#end();
        return;
      }
      clearNotice("audit");
      setText(this.#receipt, look.receiptIndex === null ? "" : `Consultation n°\u00a0${number(look.receiptIndex)} inscrite au journal`);
      this.#read(ms);
    } catch (error) {
      if (error.code === "audit.unavailable") showNotice("audit", error.text);
      this.#failed(error.text ?? "La consultation n’a pas pu être ouverte.");
    }
  }

  #read(ms) {
    this.#say("Chargement des images…");
    this.#player.play({ ticket: () => this.#look?.ticket ?? "", fromMs: ms, toMs: this.#look.toMs });
    this.#player.setRate(this.#controls.speed);
    this.#controls.setEnabled(true);
  }

  #shown(ms) {
    this.#cover.hidden = true;
    this.#video.dataset.shownUtc = new Date(ms).toISOString();
    this.#watch.set(preciseTime(ms).slice(0, -2), longDate(ms), utcTime(ms));
    this.#view.setCursor(ms);
  }

  #jumped(fromMs, toMs) {
    setText(this.#jump, `Images manquantes de ${clockTime(fromMs)} à ${clockTime(toMs)} (${duration(toMs - fromMs)})`);
    this.#jump.hidden = false;
    setTimeout(() => (this.#jump.hidden = true), 4_000);
  }

  #ended() {
    const reached = this.#player.utcMs;
    if (now() - this.#look.toMs > FRESH_MS && playableFrom(this.#timeline, this.#look.toMs) !== null) {
      this.#playFrom(Math.max(reached, this.#look.toMs));
      return;
    }
    passingNotice("Fin des images enregistrées. D pour revenir au direct.");
  }

  #revoked(cause) {
    this.#player.stop();
    this.#look = null;
    this.#failed(cause === "audit.unavailable" ? "Le journal des accès ne répond pas\u00a0: la lecture est arrêtée." : causeSentence(cause));
  }

  #failed(sentence) {
    this.#controls.setEnabled(false);
    this.#say(sentence);
    announce(sentence);
  }

  #say(sentence) {
    this.#cover.hidden = false;
    setText(this.#cover, sentence);
  }

  #end() {
    this.#player.stop();
    this.#look?.close();
    this.#look = null;
    this.#controls.setEnabled(false);
    setText(this.#receipt, "");
    this.#watch.set("", "", "");
    delete this.#video.dataset.shownUtc;
  }

  #toggle() {
    if (!this.#player.active) return;
    if (this.#video.paused) this.#player.resume();
    else this.#player.pause();
  }

  #skip(seconds) {
    if (this.#player.active) this.#playFrom(this.#player.utcMs + seconds * 1000);
  }

  #live() {
    if (this.#camera && may("live")) go("mur", { camera: this.#camera.id });
  }

  #left = () => this.#end();

  #key = (event) => {
    if (isTyping(event) || event.defaultPrevented) return;
    const actions = {
      " ": () => this.#toggle(),
      ArrowLeft: () => this.#skip(-10),
      ArrowRight: () => this.#skip(10),
      ",": () => this.#player.active && this.#player.step(-1),
      ";": () => this.#player.active && this.#player.step(1),
      "+": () => this.#controls.changeSpeed(1),
      "-": () => this.#controls.changeSpeed(-1),
      d: () => this.#live(),
      D: () => this.#live(),
      "/": () => this.#list.focusSearch(),
    };
    if (!actions[event.key] || (event.key === " " && event.target.closest?.("button"))) return;
    event.preventDefault();
    actions[event.key]();
  };
}
