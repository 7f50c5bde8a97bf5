/** The time line as one works with it: a point plays, a drag of the head scrubs, a drag elsewhere moves the stretch. */

import { now } from "../session.js";
import { fill, h, setText } from "../ui/dom.js";
import { clockTime, dateTime, duration, plural, utcTime } from "../ui/format.js";
import { CAUSES, causeLabel, clamped, gapAt, snapped, spanAt, zoomed } from "./timeline.js";
import { bandAt, heightFor, paint } from "./timeline_paint.js";

const DRAG_FROM_PX = 4;
const HEAD_REACH_PX = 7;
const SNAP_PX = 8;

/** A canvas that is also a slider for the keyboard and for screen readers. */
export class TimelineView {
  #on;
  #range = { startMs: 0, endMs: 1 };
  #lines = [];
  #looks = [];
  #markers = [];
  #cursorMs = null;
  #hoverMs = null;
  #scrubMs = null;
  #drag = null;
  #canvas;
  #tooltip = h("div", { class: "timeline__tip", hidden: true });
  #observer = new ResizeObserver(() => this.#draw());
  #redraw = 0;

  /**
   * @param {{play: (ms: number) => void, ranged: (range: {startMs: number, endMs: number}) => void,
   *   still: (ms: number, exact: boolean) => HTMLElement|null}} on `play`: somebody points at an instant; `ranged`: another
   *   stretch is looked at; `still`: a small picture of an instant, when there is one
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

  /** One line for each camera. @param {import("./timeline.js").Timeline[]} lines */
  setLines(lines) {
    this.#lines = lines;
    this.#canvas.style.setProperty("height", `${heightFor(lines.length)}px`);
    this.#later();
  }

  /** What may be looked at. @param {Array<{startMs: number, endMs: number}>} looks */
  setLooks(looks) {
    this.#looks = looks;
    this.#later();
  }

  /** Marked instants. @param {number[]} markers */
  setMarkers(markers) {
    this.#markers = markers;
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

  #onHead(event) {
    if (this.#cursorMs === null) return false;
    const { startMs, endMs } = this.#range;
    const perPx = (endMs - startMs) / Math.max(1, this.#canvas.clientWidth);
    return Math.abs(this.#msAt(event) - this.#cursorMs) < HEAD_REACH_PX * perPx;
  }

  #pressed(event) {
    this.#canvas.setPointerCapture(event.pointerId);
    this.#drag = { x: event.clientX, range: this.#range, moved: false, scrubs: this.#onHead(event) };
  }

  #moved(event) {
    this.#canvas.classList.toggle("timeline__canvas--grip", this.#drag ? this.#drag.scrubs : this.#onHead(event));
    if (this.#drag?.scrubs) {
      this.#drag.moved ||= Math.abs(event.clientX - this.#drag.x) > DRAG_FROM_PX;
      if (this.#drag.moved) this.#scrubMs = Math.min(this.#msAt(event), now());
    } else if (this.#drag) {
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
    this.#scrubMs = null;
    if (!drag) return;
    if (drag.moved && !drag.scrubs) this.setRange(this.#range);
    else if (drag.moved || !drag.scrubs) {
      const reachMs = (SNAP_PX * (this.#range.endMs - this.#range.startMs)) / Math.max(1, this.#canvas.clientWidth);
      this.#on.play(snapped(this.#lines, Math.min(this.#msAt(event), now()), reachMs));
    }
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
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #tip(event) {
    const ms = this.#hoverMs;
    const line = this.#lines[bandAt(event.offsetY, this.#lines.length)] ?? { spans: [], gaps: [] };
    const gap = gapAt(line, ms);
    const still = gap ? null : this.#on.still(ms, this.#scrubMs !== null);
    const lines = [still, h("p", { class: "figures", text: dateTime(ms) }), h("p", { class: "note figures", text: utcTime(ms).replace(/,\d+/, "") })];
    if (gap) {
      const range = `de ${clockTime(gap.startMs)} ${gap.open ? "jusqu’à maintenant" : `à ${clockTime(gap.endMs)}`}`;
      lines.push(
        h("p", { text: gap.label || causeLabel(gap.cause) }),
        h("p", { class: "note figures", text: `${range} (${duration(gap.endMs - gap.startMs)})${gap.repaired ? ", réparé depuis la commune" : ""}` }),
      );
    } else if (!spanAt(line, ms)) lines.push(h("p", { class: "note", text: "Rien d’enregistré" }));
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

  #draw() {
    const { startMs, endMs } = this.#range;
    this.#canvas.setAttribute("aria-valuemin", String(Math.round(startMs / 1000)));
    this.#canvas.setAttribute("aria-valuemax", String(Math.round(endMs / 1000)));
    paint(this.#canvas, {
      range: this.#range, lines: this.#lines, looks: this.#looks, markers: this.#markers, hoverMs: this.#hoverMs,
      cursorMs: this.#scrubMs ?? this.#cursorMs,
    });
  }
}

/**
 * The gaps of a stretch as a text, for those who do not see the canvas.
 * @param {HTMLElement} place
 * @param {import("./timeline.js").Timeline[]} lines
 * @param {{startMs: number, endMs: number}} range
 */
export function describeGaps(place, lines, { startMs, endMs }) {
  const lengths = lines
    .flatMap((line) => line.gaps)
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
