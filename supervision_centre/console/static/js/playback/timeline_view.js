/** The time line on a canvas: recorded stretches, gaps in the colour of their cause, hours, and where the picture is. */

import { now } from "../session.js";
import { announce, fill, h, setText } from "../ui/dom.js";
import { clockTime, dateTime, duration, plural, shortTime, utcTime, zoneOffset } from "../ui/format.js";
import { axis, CAUSES, clamped, gapAt, spanAt, zoomed } from "./timeline.js";

const BAND_TOP = 26;
const BAND_HEIGHT = 30;
const NARROWEST_PX = 2;
const DRAG_FROM_PX = 4;

/** A canvas that is also a slider for the keyboard and for screen readers. */
export class TimelineView {
  #on;
  #range = { startMs: 0, endMs: 1 };
  #timeline = { spans: [], gaps: [] };
  #cursorMs = null;
  #hoverMs = null;
  #drag = null;
  #colours = new Map();
  #canvas;
  #tooltip = h("div", { class: "timeline__tip", hidden: true });
  #observer = new ResizeObserver(() => this.#draw());
  #redraw = 0;

  /**
   * @param {{play: (ms: number) => void, ranged: (range: {startMs: number, endMs: number}) => void}} on `play`: somebody
   *   points at an instant; `ranged`: another stretch is looked at
   */
  constructor(on) {
    this.#on = on;
    this.#canvas = h("canvas", {
      class: "timeline__canvas", role: "slider", tabIndex: 0, "aria-label": "Ligne de temps",
      on: {
        pointerdown: (event) => this.#pressed(event),
        pointermove: (event) => this.#moved(event),
        pointerup: (event) => this.#released(event),
        pointerleave: () => this.#left(),
        keydown: (event) => this.#key(event),
      },
    });
    this.#canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.#observer.observe(this.#canvas);
    /** @type {HTMLElement} */
    this.element = h("div", { class: "timeline" }, this.#canvas, this.#tooltip);
    /** The meaning of the colours. @type {HTMLElement} */
    this.legend = h(
      "ul",
      { class: "legend", "aria-label": "Légende" },
      h("li", { class: "legend__item legend__item--recorded", text: "Enregistré" }),
      CAUSES.map((cause) => h("li", { class: `legend__item legend__item--${cause.code}`, text: `Manque\u00a0: ${cause.label.toLowerCase()}` })),
    );
  }

  /** The stretch that is looked at. */
  get range() {
    return this.#range;
  }

  /** Look at another stretch. @param {{startMs: number, endMs: number}} range */
  setRange(range) {
    this.#range = clamped(range, now());
    this.#on.ranged(this.#range);
    this.#later();
  }

  /** @param {import("./timeline.js").Timeline} timeline */
  setTimeline(timeline) {
    this.#timeline = timeline;
    this.#later();
  }

  /** Where the picture is; a stretch that shows it follows it out. @param {number|null} ms */
  setCursor(ms) {
    const { startMs, endMs } = this.#range;
    const followed = this.#cursorMs === null || (startMs <= this.#cursorMs && this.#cursorMs <= endMs);
    this.#cursorMs = ms;
    if (ms !== null) {
      this.#canvas.setAttribute("aria-valuenow", String(Math.round(ms / 1000)));
      this.#canvas.setAttribute("aria-valuetext", dateTime(ms));
      if (followed && !this.#drag && (ms > endMs || ms < startMs)) {
        const length = endMs - startMs;
        this.setRange({ startMs: ms - length * 0.2, endMs: ms + length * 0.8 });
      }
    }
    this.#later();
  }

  /** Zoom around the picture, or the middle. @param {number} step */
  zoom(step) {
    const { startMs, endMs } = this.#range;
    const inside = this.#cursorMs !== null && this.#cursorMs >= startMs && this.#cursorMs <= endMs;
    this.setRange(zoomed(this.#range, step, inside ? this.#cursorMs : (startMs + endMs) / 2, now()));
  }

  /** Move the stretch by a share of its length. @param {number} share */
  pan(share) {
    const length = this.#range.endMs - this.#range.startMs;
    this.setRange({ startMs: this.#range.startMs + share * length, endMs: this.#range.endMs + share * length });
  }

  /** Stop following the size. */
  remove() {
    this.#observer.disconnect();
    cancelAnimationFrame(this.#redraw);
  }

  #msAt(event) {
    const box = this.#canvas.getBoundingClientRect();
    const share = (event.clientX - box.left) / Math.max(1, box.width);
    return this.#range.startMs + share * (this.#range.endMs - this.#range.startMs);
  }

  #pressed(event) {
    this.#canvas.setPointerCapture(event.pointerId);
    this.#drag = { x: event.clientX, range: this.#range, moved: false };
  }

  #moved(event) {
    if (this.#drag) {
      const shift = event.clientX - this.#drag.x;
      if (Math.abs(shift) > DRAG_FROM_PX) this.#drag.moved = true;
      if (this.#drag.moved) {
        const { startMs, endMs } = this.#drag.range;
        const ms = (-shift / this.#canvas.clientWidth) * (endMs - startMs);
        this.#range = clamped({ startMs: startMs + ms, endMs: endMs + ms }, now());
      }
    }
    this.#hoverMs = this.#msAt(event);
    this.#tip(event);
    this.#later();
  }

  #released(event) {
    const drag = this.#drag;
    this.#drag = null;
    if (!drag) return;
    if (drag.moved) this.setRange(this.#range);
    else this.#on.play(Math.min(this.#msAt(event), now()));
  }

  #left() {
    this.#hoverMs = null;
    this.#tooltip.hidden = true;
    this.#later();
  }

  #wheel(event) {
    event.preventDefault();
    this.setRange(zoomed(this.#range, event.deltaY > 0 ? 1 : -1, this.#msAt(event), now()));
    this.#hoverMs = this.#msAt(event);
    this.#tip(event);
  }

  #key(event) {
    if (event.key === "+" || event.key === "-") this.zoom(event.key === "+" ? -1 : 1);
    else if (event.key === "PageUp" || event.key === "PageDown") this.pan(event.key === "PageUp" ? -0.8 : 0.8);
    else if (event.key === "Enter" && this.#cursorMs !== null) this.#on.play(this.#cursorMs);
    else if (event.shiftKey && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      const step = (this.#range.endMs - this.#range.startMs) / 60;
      this.setCursor((this.#cursorMs ?? this.#range.endMs) + (event.key === "ArrowLeft" ? -step : step));
      announce(dateTime(this.#cursorMs));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #tip(event) {
    const ms = this.#hoverMs;
    const gap = gapAt(this.#timeline, ms);
    const lines = [h("p", { class: "figures", text: dateTime(ms) }), h("p", { class: "note figures", text: utcTime(ms).replace(/,\d+/, "") })];
    if (gap) {
      const cause = CAUSES.find((one) => one.code === gap.cause);
      const range = `de ${clockTime(gap.startMs)} ${gap.open ? "jusqu’à maintenant" : `à ${clockTime(gap.endMs)}`}`;
      lines.push(
        h("p", { text: `${gap.label || `Images manquantes\u00a0: ${cause?.label ?? gap.cause}`}` }),
        h("p", { class: "note figures", text: `${range} (${duration(gap.endMs - gap.startMs)})${gap.repaired ? ", réparé depuis la commune" : ""}` }),
      );
    } else if (!spanAt(this.#timeline, ms)) lines.push(h("p", { class: "note", text: "Rien d’enregistré" }));
    fill(this.#tooltip, lines);
    this.#tooltip.hidden = false;
    const box = this.#canvas.getBoundingClientRect();
    const width = this.#tooltip.offsetWidth;
    const x = Math.min(Math.max(event.clientX - box.left - width / 2, 0), box.width - width);
    this.#tooltip.style.setProperty("--x", `${x}px`);
  }

  #later() {
    if (this.#redraw) return;
    this.#redraw = requestAnimationFrame(() => {
      this.#redraw = 0;
      this.#draw();
    });
  }

  #colour(token) {
    if (!this.#colours.has(token)) {
      this.#colours.set(token, getComputedStyle(document.documentElement).getPropertyValue(token).trim());
    }
    return this.#colours.get(token);
  }

  #draw() {
    const width = this.#canvas.clientWidth;
    const height = this.#canvas.clientHeight;
    const ratio = window.devicePixelRatio || 1;
    if (width === 0) return;
    if (this.#canvas.width !== Math.round(width * ratio)) this.#canvas.width = Math.round(width * ratio);
    if (this.#canvas.height !== Math.round(height * ratio)) this.#canvas.height = Math.round(height * ratio);
    const pen = this.#canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const { startMs, endMs } = this.#range;
    this.#canvas.setAttribute("aria-valuemin", String(Math.round(startMs / 1000)));
    this.#canvas.setAttribute("aria-valuemax", String(Math.round(endMs / 1000)));
    const x = (ms) => ((ms - startMs) / (endMs - startMs)) * width;
    const bar = (from, to, token) => {
      const left = Math.max(0, x(from));
      const right = Math.min(width, Math.max(x(to), x(from) + NARROWEST_PX));
      if (right <= 0 || left >= width) return;
      pen.fillStyle = this.#colour(token);
      pen.fillRect(left, BAND_TOP, right - left, BAND_HEIGHT);
    };
    pen.fillStyle = this.#colour("--surface");
    pen.fillRect(0, BAND_TOP, width, BAND_HEIGHT);
    for (const span of this.#timeline.spans) bar(span.startMs, span.endMs, "--recorded");
    for (const gap of this.#timeline.gaps) {
      bar(gap.startMs, gap.endMs, CAUSES.find((cause) => cause.code === gap.cause)?.colour ?? "--gap-recorder");
    }
    this.#drawAxis(pen, width, x);
    if (this.#hoverMs !== null) this.#line(pen, x(this.#hoverMs), height, "--muted", 1);
    if (this.#cursorMs !== null) this.#line(pen, x(this.#cursorMs), height, "--text", 2);
  }

  #drawAxis(pen, width, x) {
    const { stepMs, ticks } = axis(this.#range, width, zoneOffset(this.#range.startMs));
    const text = stepMs < 60_000 ? clockTime : shortTime;
    pen.font = `12px ${getComputedStyle(this.#canvas).fontFamily}`;
    pen.textBaseline = "top";
    for (const tick of ticks) {
      const at = Math.round(x(tick)) + 0.5;
      pen.fillStyle = this.#colour("--line-strong");
      pen.fillRect(at, BAND_TOP - 6, 1, 6);
      pen.fillStyle = this.#colour("--muted");
      const label = text(tick);
      const half = pen.measureText(label).width / 2;
      if (at - half > 0 && at + half < width) pen.fillText(label, at - half, 4);
    }
  }

  #line(pen, at, height, token, thickness) {
    pen.fillStyle = this.#colour(token);
    pen.fillRect(Math.round(at) - thickness / 2, BAND_TOP - 6, thickness, Math.min(height, BAND_TOP + BAND_HEIGHT + 6) - BAND_TOP + 6);
  }
}

/**
 * The gaps of a stretch as a text, for those who do not see the canvas.
 * @param {HTMLElement} place
 * @param {import("./timeline.js").Timeline} timeline
 * @param {{startMs: number, endMs: number}} range
 */
export function describeGaps(place, timeline, { startMs, endMs }) {
  const lengths = timeline.gaps
    .map((gap) => Math.min(gap.endMs, endMs) - Math.max(gap.startMs, startMs))
    .filter((length) => length > 0);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  setText(
    place,
    lengths.length === 0
      ? "Aucune image manquante sur cette période."
      : `Images manquantes\u00a0: ${duration(total)} en ${plural(lengths.length, "interruption")}.`,
  );
}
