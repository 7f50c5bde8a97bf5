/** The drawing of the time line: one band for each camera, gaps in the colour of their cause, hours, markers, the head. */

import { clockTime, shortTime, zoneOffset } from "../ui/format.js";
import { axis, CAUSES } from "./timeline.js";

const BANDS_TOP = 26;
const ONE_BAND = 30;
const SEVERAL_BANDS = 16;
const BETWEEN_BANDS = 3;
const NARROWEST_PX = 2;
const MARKER_PX = 5;
const GRIP_PX = 5;

const colours = new Map();

function colour(token) {
  if (!colours.has(token)) colours.set(token, getComputedStyle(document.documentElement).getPropertyValue(token).trim());
  return colours.get(token);
}

/** How high a time line of some cameras is. @param {number} count @returns {number} CSS pixels */
export const heightFor = (count) => BANDS_TOP + (count > 1 ? count * (SEVERAL_BANDS + BETWEEN_BANDS) : ONE_BAND) + 8;

/** Which band is under a height. @param {number} y @param {number} count @returns {number} */
export const bandAt = (y, count) =>
  count <= 1 ? 0 : Math.min(count - 1, Math.max(0, Math.floor((y - BANDS_TOP) / (SEVERAL_BANDS + BETWEEN_BANDS))));

/**
 * Draw it all.
 * @param {HTMLCanvasElement} canvas
 * @param {{range: {startMs: number, endMs: number}, lines: import("./timeline.js").Timeline[], looks: Array<{startMs: number,
 *   endMs: number}>, markers: number[], cursorMs: number|null, hoverMs: number|null}} what
 */
export function paint(canvas, { range, lines, looks, markers, cursorMs, hoverMs }) {
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  const ratio = window.devicePixelRatio || 1;
  if (width === 0) return;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const x = (ms) => ((ms - range.startMs) / (range.endMs - range.startMs)) * width;
  const rows = Math.max(1, lines.length);
  for (let row = 0; row < rows; row += 1) paintBand(pen, width, x, lines[row], row, rows);
  paintAxis(pen, canvas, range, width, x);
  paintLooks(pen, width, x, looks);
  for (const ms of markers) paintMarker(pen, x(ms));
  const bottom = heightFor(rows) - 2;
  if (hoverMs !== null) line(pen, x(hoverMs), bottom, "--muted", 1);
  if (cursorMs !== null) paintHead(pen, x(cursorMs), bottom);
}

function paintBand(pen, width, x, timeline, row, rows) {
  const bandHeight = rows > 1 ? SEVERAL_BANDS : ONE_BAND;
  const top = BANDS_TOP + row * (SEVERAL_BANDS + BETWEEN_BANDS);
  const bar = (from, to, token) => {
    const left = Math.max(0, x(from));
    const right = Math.min(width, Math.max(x(to), x(from) + NARROWEST_PX));
    if (right <= 0 || left >= width) return;
    pen.fillStyle = colour(token);
    pen.fillRect(left, top, right - left, bandHeight);
  };
  pen.fillStyle = colour("--surface");
  pen.fillRect(0, top, width, bandHeight);
  for (const span of timeline?.spans ?? []) bar(span.startMs, span.endMs, "--recorded");
  for (const gap of timeline?.gaps ?? []) {
    bar(gap.startMs, gap.endMs, CAUSES.find((cause) => cause.code === gap.cause)?.colour ?? "--gap-recorder");
  }
  if (rows === 1) return;
  pen.fillStyle = colour("--ground");
  pen.fillRect(0, top, 17, bandHeight);
  pen.fillStyle = colour("--text");
  pen.font = `600 11px ${colour("--font")}`;
  pen.textBaseline = "middle";
  pen.fillText(String(row + 1), 5, top + bandHeight / 2 + 0.5);
}

function paintAxis(pen, canvas, range, width, x) {
  const { stepMs, ticks } = axis(range, width, zoneOffset(range.startMs));
  const text = stepMs < 60_000 ? clockTime : shortTime;
  pen.font = `12px ${getComputedStyle(canvas).fontFamily}`;
  pen.textBaseline = "top";
  for (const tick of ticks) {
    const at = Math.round(x(tick)) + 0.5;
    pen.fillStyle = colour("--line-strong");
    pen.fillRect(at, BANDS_TOP - 6, 1, 6);
    pen.fillStyle = colour("--muted");
    const label = text(tick);
    const half = pen.measureText(label).width / 2;
    if (at - half > 0 && at + half < width) pen.fillText(label, at - half, 4);
  }
}

/** What the looks reach, as a line over the bands. */
function paintLooks(pen, width, x, looks) {
  pen.fillStyle = colour("--accent");
  for (const look of looks) {
    const left = Math.max(0, x(look.startMs));
    const right = Math.min(width, x(look.endMs));
    if (right > left) pen.fillRect(left, BANDS_TOP - 2, right - left, 2);
  }
}

function paintMarker(pen, at) {
  pen.fillStyle = colour("--caution");
  pen.beginPath();
  pen.moveTo(at - MARKER_PX, BANDS_TOP - 9);
  pen.lineTo(at + MARKER_PX, BANDS_TOP - 9);
  pen.lineTo(at, BANDS_TOP);
  pen.fill();
}

function paintHead(pen, at, bottom) {
  line(pen, at, bottom, "--text", 2);
  pen.beginPath();
  pen.arc(at, BANDS_TOP - 4, GRIP_PX, 0, 2 * Math.PI);
  pen.fill();
}

function line(pen, at, bottom, token, thickness) {
  pen.fillStyle = colour(token);
  pen.fillRect(Math.round(at) - thickness / 2, BANDS_TOP - 6, thickness, bottom - BANDS_TOP + 6);
}
