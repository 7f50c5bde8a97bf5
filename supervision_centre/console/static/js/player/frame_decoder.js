/**
 * Pictures out of groups of pictures, by WebCodecs: the one that is asked for, and those that will be asked for next.
 *
 * It works in jobs, one group of pictures each, from its key frame:
 * - forward: pictures from one on, no more than `LEAD` before the head, as the decoder gives them;
 * - backward: the last pictures up to one, copied, since a decoder has few pictures of its own to lend, and when it runs
 *   fast no more of them than an eye can follow (`paced`);
 * - key: the key frame alone.
 * A job that the head has left is dropped. A group that the decoder refuses is marked as bad and left out.
 */

const LEAD = 12;
const FED_AT_ONCE = 16;
const STEPS_KEPT = 8;
const COPIES_BYTES = 64 * 1024 * 1024;
const BYTES_PER_PIXEL = 1.5;
const COPIES_LEAST = 12;
const COPIES_MOST = 120;
const KEYS_AHEAD = 5;
const EYE_RATE = 25;
const FAR_MS = 15_000;

/** The microseconds that a decoder gives back with a picture. */
const stamp = ({ shown }, { timescale }) => Math.round((shown * 1e6) / timescale);

/**
 * The picture that stands for another one when the head runs backwards: of a fast run only so many are shown a second.
 * @param {{group: any, frame: any}} found
 * @param {number} rate
 * @returns {{group: any, frame: any}}
 */
export function paced(found, rate) {
  const stride = strideOf(found.group, rate);
  if (stride === 1) return found;
  const at = found.group.frames.indexOf(found.frame);
  return { group: found.group, frame: found.group.frames[at - (at % stride)] };
}

/** One of how many pictures of a group is shown at a speed. */
function strideOf({ frames }, rate) {
  const lastsS = (frames.at(-1).endMs - frames[0].pts) / 1000;
  return rate < 0 ? Math.max(1, Math.floor((-rate * frames.length) / lastsS / EYE_RATE)) : 1;
}

/** One decoder. */
export class FrameDecoder {
  #decoder = null;
  #init = null;
  #job = null;
  #pictures = new Map();

  /** Whether this browser has WebCodecs. @returns {boolean} */
  static get available() {
    return typeof VideoDecoder === "function" && typeof EncodedVideoChunk === "function";
  }

  /**
   * Whether this browser decodes a stream in this way.
   * @param {{codec: string, description: Uint8Array}} init
   * @returns {Promise<boolean>}
   */
  static async supports({ codec, description }) {
    if (!FrameDecoder.available) return false;
    const { supported } = await VideoDecoder.isConfigSupported({ codec, description }).catch(() => ({ supported: false }));
    return supported;
  }

  /**
   * A picture that is decoded, or null.
   * @param {{frame: import("./shelf.js").Frame}} found
   * @returns {CanvasImageSource|null}
   */
  picture({ frame }) {
    return this.#pictures.get(frame.pts)?.image ?? null;
  }

  /**
   * Work towards a picture and those after it.
   * @param {import("./shelf.js").Shelf} shelf
   * @param {{group: any, frame: any}} wanted
   * @param {number} rate
   * @param {boolean} keysOnly
   */
  want(shelf, wanted, rate, keysOnly) {
    const { pts } = wanted.frame;
    this.#prune(pts, rate);
    const kind = keysOnly ? "key" : rate > 0 ? "forward" : "backward";
    if (this.#job && (this.#job.kind !== kind || (!this.#pictures.has(pts) && !covers(this.#job, wanted)))) this.#drop();
    if (!this.#job) this.#begin(this.#choose(shelf, wanted, rate, kind));
    if (this.#job) this.#job.headMs = pts;
    this.#feed();
  }

  /** Forget every picture. */
  clear() {
    this.#drop();
    for (const picture of this.#pictures.values()) picture.image?.close();
    this.#pictures.clear();
  }

  /** Give the decoder back. */
  close() {
    this.clear();
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
  }

  #choose(shelf, wanted, rate, kind) {
    if (kind === "key") return this.#chooseKey(shelf, wanted, rate);
    if (!this.#pictures.has(wanted.frame.pts)) return kind === "forward" ? forwardJob(wanted) : this.#backwardJob(wanted, rate);
    if (rate === 0) return null;
    const next = rate > 0 ? (one) => shelf.after(one) : (one) => shelf.before(one);
    const enough = rate > 0 ? LEAD : this.#copies() / 2;
    let at = wanted;
    for (let count = 0; count < enough; count += 1) {
      at = next(at);
      if (!at) return null;
      at = paced(at, rate);
      if (!this.#pictures.has(at.frame.pts) && !at.group.bad) return rate > 0 ? forwardJob(at) : this.#backwardJob(at, rate);
    }
    return null;
  }

  #chooseKey(shelf, wanted, rate) {
    let at = { group: wanted.group, frame: wanted.group.frames[0] };
    for (let count = 0; at && count < KEYS_AHEAD; count += 1) {
      if (!this.#pictures.has(at.frame.pts) && !at.group.bad) return job("key", at.group, at.frame.pts, at.frame.pts, 0, Infinity);
      at = this.#neighbourGroup(shelf, at.group, rate);
    }
    return null;
  }

  #neighbourGroup(shelf, group, rate) {
    const { frames } = group;
    return rate >= 0
      ? shelf.after({ group, frame: frames[frames.length - 1] })
      : keyOf(shelf.before({ group, frame: frames[0] }));
  }

  /** Up to a picture; when it is held, a few further, so that the next steps cost nothing. */
  #backwardJob({ group, frame }, rate) {
    const at = group.frames.indexOf(frame);
    const upTo = group.frames[Math.min(at + (rate < 0 ? 0 : STEPS_KEPT), group.frames.length - 1)];
    const lastSample = Math.max(...group.frames.slice(0, group.frames.indexOf(upTo) + 1).map((one) => one.sample));
    const task = job("backward", group, -Infinity, upTo.pts, lastSample, this.#copies());
    const stride = strideOf(group, rate);
    if (stride > 1) task.left = new Set(group.frames.filter((_, index) => index % stride > 0));
    return task;
  }

  #copies() {
    const { width = 1920, height = 1080 } = this.#init ?? {};
    return Math.min(COPIES_MOST, Math.max(COPIES_LEAST, Math.floor(COPIES_BYTES / (width * height * BYTES_PER_PIXEL))));
  }

  #begin(next) {
    if (!next || next.group.bad) return;
    const { group } = next;
    if (!this.#decoder || this.#decoder.state === "closed") this.#decoder = this.#make();
    if (this.#init !== group.init || this.#decoder.state === "unconfigured") {
      const { codec, description } = group.init;
      this.#init = group.init;
      this.#decoder.configure({ codec, description, optimizeForLatency: true });
    }
    this.#job = next;
  }

  #make() {
    const decoder = new VideoDecoder({
      output: (picture) => this.#output(decoder, picture),
      error: () => this.#failed(decoder),
    });
    return decoder;
  }

  #feed() {
    const task = this.#job;
    if (!task || task.flushing || !this.#decoder) return;
    const { group } = task;
    while (task.next <= task.lastSample && this.#decoder.decodeQueueSize < FED_AT_ONCE && this.#room(task)) {
      const sample = group.samples[task.next];
      this.#decoder.decode(
        new EncodedVideoChunk({
          type: task.next === 0 ? "key" : "delta",
          timestamp: stamp(sample, group.init),
          data: group.bytes.subarray(sample.offset, sample.offset + sample.size),
        }),
      );
      task.next += 1;
    }
    if (task.next > task.lastSample) this.#flush(task);
  }

  /** The picture that is waited for always finds room, and those before the first that is kept need none. */
  #room(task) {
    if (task.kind !== "forward" || !this.#pictures.has(task.headMs)) return true;
    return task.next - task.outputs + this.#ahead(task) < LEAD || task.outputs < task.skipped;
  }

  #ahead(task) {
    let count = 0;
    for (const picture of this.#pictures.values()) if (picture.pts > task.headMs) count += 1;
    return count;
  }

  #flush(task) {
    task.flushing = true;
    this.#decoder.flush().then(
      () => this.#job === task && (this.#job = null),
      () => {},
    );
  }

  #output(decoder, image) {
    const task = this.#job;
    if (decoder !== this.#decoder || !task) {
      image.close();
      return;
    }
    task.outputs += 1;
    const frame = task.byStamp.get(image.timestamp);
    if (frame) task.lastPts = Math.max(task.lastPts, frame.pts);
    if (!frame || frame.pts < task.keepFrom || frame.pts > task.keepTo || task.left?.has(frame) || this.#pictures.has(frame.pts)) {
      image.close();
      return;
    }
    task.group.init.width = image.displayWidth;
    task.group.init.height = image.displayHeight;
    if (task.kind === "forward") this.#pictures.set(frame.pts, { pts: frame.pts, image });
    else this.#copy(task, frame, image);
  }

  #copy(task, frame, image) {
    const picture = { pts: frame.pts, image: null };
    this.#pictures.set(frame.pts, picture);
    task.kept.push(picture);
    while (task.kept.length > task.keepCount) this.#forget(task.kept.shift());
    copyOf(image).then(
      (copy) => {
        if (this.#pictures.get(frame.pts) === picture) picture.image = copy;
        else copy.close();
      },
      () => this.#pictures.get(frame.pts) === picture && this.#pictures.delete(frame.pts),
    ).finally(() => image.close());
  }

  #failed(decoder) {
    if (decoder !== this.#decoder) return;
    if (this.#job) this.#job.group.bad = true;
    this.#job = null;
    this.#decoder = null;
  }

  #drop() {
    this.#job = null;
    if (this.#decoder?.state === "configured") this.#decoder.reset();
  }

  #forget(picture) {
    picture.image?.close();
    if (this.#pictures.get(picture.pts) === picture) this.#pictures.delete(picture.pts);
  }

  #prune(ms, rate) {
    const far = FAR_MS * Math.max(1, Math.abs(rate));
    for (const picture of this.#pictures.values()) {
      const passed = rate > 0 ? picture.pts < ms : rate < 0 && picture.pts > ms;
      if (passed || Math.abs(picture.pts - ms) > far) this.#forget(picture);
    }
    const excess = this.#pictures.size - 2 * this.#copies();
    if (excess <= 0) return;
    const byDistance = [...this.#pictures.values()].sort((one, other) => Math.abs(other.pts - ms) - Math.abs(one.pts - ms));
    for (const picture of byDistance.slice(0, excess)) this.#forget(picture);
  }
}

/** A picture of our own: as it was decoded where its format is known, which is far cheaper than as a bitmap. */
async function copyOf(image) {
  const { format, visibleRect, timestamp, displayWidth, displayHeight, colorSpace } = image;
  if (!format) return createImageBitmap(image);
  const data = new ArrayBuffer(image.allocationSize());
  const layout = await image.copyTo(data);
  const { width: codedWidth, height: codedHeight } = visibleRect;
  return new VideoFrame(data, { format, codedWidth, codedHeight, displayWidth, displayHeight, timestamp, colorSpace, layout, transfer: [data] });
}

const keyOf = (found) => found && { group: found.group, frame: found.group.frames[0] };

function job(kind, group, keepFrom, keepTo, lastSample, keepCount) {
  const byStamp = new Map(group.frames.map((frame) => [stamp(group.samples[frame.sample], group.init), frame]));
  const skipped = group.frames.findIndex((frame) => frame.pts >= keepFrom);
  return { kind, group, keepFrom, keepTo, lastSample, keepCount, byStamp, skipped, next: 0, outputs: 0, lastPts: -Infinity,
    headMs: -Infinity, kept: [], left: null, flushing: false };
}

const forwardJob = ({ group, frame }) => job("forward", group, frame.pts, Infinity, group.samples.length - 1, Infinity);

/** Whether a job will still give a picture. */
const covers = (task, { group, frame }) =>
  task.group === group && frame.pts >= task.keepFrom && frame.pts <= task.keepTo && frame.pts > task.lastPts;
