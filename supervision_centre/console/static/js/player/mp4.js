/**
 * The little that the console must read in fragmented MP4 (ISO/IEC 14496-12, 14496-15): the codec of an init segment, its
 * timescale, when a fragment starts and how long it lasts, and where its samples are. Every read is bounded by the box that
 * holds it.
 */

const CONTAINERS = new Set(["moov", "trak", "mdia", "minf", "stbl", "moof", "traf", "mvex"]);
const SAMPLE_ENTRY_BYTES = 78;

const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const fourcc = (data, at) =>
  String.fromCharCode(data.getUint8(at), data.getUint8(at + 1), data.getUint8(at + 2), data.getUint8(at + 3));

/**
 * The boxes between two offsets, those of containers included, in the order of the file.
 * @param {DataView} data
 * @param {number} [from]
 * @param {number} [to]
 * @returns {Generator<{type: string, start: number, end: number}>} offsets of the payload
 */
function* boxes(data, from = 0, to = data.byteLength) {
  let at = from;
  while (at + 8 <= to) {
    let size = data.getUint32(at);
    let head = 8;
    if (size === 1 && at + 16 <= to) {
      size = Number(data.getBigUint64(at + 8));
      head = 16;
    }
    if (size < head || at + size > to) return;
    const type = fourcc(data, at + 4);
    yield { type, start: at + head, end: at + size };
    if (CONTAINERS.has(type)) yield* boxes(data, at + head, at + size);
    at += size;
  }
}

const find = (data, type, from, to) => {
  for (const box of boxes(data, from, to)) if (box.type === type) return box;
  return null;
};

/**
 * What an init segment says.
 * @param {Uint8Array} bytes
 * @returns {{mime: string, codec: string, description: Uint8Array, timescale: number}|null} null when it holds no H.264 or
 *   H.265 video; `description` is what a decoder is configured with (`avcC` or `hvcC`)
 */
export function readInit(bytes) {
  const data = view(bytes);
  const mdhd = find(data, "mdhd");
  const stsd = find(data, "stsd");
  if (!mdhd || !stsd) return null;
  const timescale = data.getUint32(mdhd.start + (data.getUint8(mdhd.start) === 1 ? 20 : 12));
  const entry = stsd.start + 8;
  const type = fourcc(data, entry + 4);
  const inside = entry + 8 + SAMPLE_ENTRY_BYTES;
  const avcc = find(data, "avcC", inside, stsd.end);
  const hvcc = find(data, "hvcC", inside, stsd.end);
  const box = avcc ?? hvcc;
  if (!box) return null;
  const codec = avcc ? `${type}.${hex(data, avcc.start + 1, 3)}` : hevcCodec(type, data, hvcc.start);
  return { mime: `video/mp4; codecs="${codec}"`, codec, description: bytes.slice(box.start, box.end), timescale };
}

const hex = (data, at, count) =>
  Array.from({ length: count }, (_, index) => data.getUint8(at + index).toString(16).padStart(2, "0")).join("").toUpperCase();

/** The codec string of ISO/IEC 14496-15 annex E.3. */
function hevcCodec(type, data, at) {
  const profile = data.getUint8(at + 1);
  let compatibility = data.getUint32(at + 2);
  let reversed = 0;
  for (let bit = 0; bit < 32; bit += 1) {
    reversed = (reversed << 1) | (compatibility & 1);
    compatibility >>>= 1;
  }
  const constraints = Array.from({ length: 6 }, (_, index) => data.getUint8(at + 6 + index));
  while (constraints.length > 0 && constraints[constraints.length - 1] === 0) constraints.pop();
  const parts = [
    ["", "A", "B", "C"][profile >> 6] + (profile & 31),
    (reversed >>> 0).toString(16).toUpperCase(),
    (profile & 32 ? "H" : "L") + data.getUint8(at + 12),
    ...constraints.map((value) => value.toString(16).toUpperCase()),
  ];
  return `${type}.${parts.join(".")}`;
}

/**
 * When a fragment starts, and how long it lasts.
 * @param {Uint8Array} bytes moof and mdat
 * @param {number} timescale
 * @returns {{start: number, duration: number}|null} seconds; duration 0 when the fragment does not say
 */
export function readFragment(bytes, timescale) {
  const data = view(bytes);
  let start = null;
  let usual = 0;
  let duration = 0;
  for (const box of boxes(data)) {
    if (box.type === "tfdt") start = decodeTime(data, box);
    else if (box.type === "tfhd") usual = usualDuration(data, box);
    else if (box.type === "trun") duration += runDuration(data, box, usual);
    else if (box.type === "mdat") break;
  }
  return start === null ? null : { start: start / timescale, duration: duration / timescale };
}

const decodeTime = (data, box) =>
  data.getUint8(box.start) === 1 ? Number(data.getBigUint64(box.start + 4)) : data.getUint32(box.start + 4);

function usualDuration(data, box) {
  const flags = data.getUint32(box.start) & 0xffffff;
  if (!(flags & 0x8)) return 0;
  const at = box.start + 8 + (flags & 0x1 ? 8 : 0) + (flags & 0x2 ? 4 : 0);
  return at + 4 <= box.end ? data.getUint32(at) : 0;
}

function runDuration(data, box, usual) {
  const flags = data.getUint32(box.start) & 0xffffff;
  const count = data.getUint32(box.start + 4);
  if (!(flags & 0x100)) return count * usual;
  const step = 4 * [0x100, 0x200, 0x400, 0x800].filter((flag) => flags & flag).length;
  let at = box.start + 8 + (flags & 0x1 ? 4 : 0) + (flags & 0x4 ? 4 : 0);
  let total = 0;
  for (let index = 0; index < count && at + step <= box.end; index += 1, at += step) total += data.getUint32(at);
  return total;
}

/**
 * The samples of a fragment, in decoding order.
 * @param {Uint8Array} bytes moof and mdat
 * @returns {Array<{offset: number, size: number, duration: number, decode: number, shown: number}>} offsets into `bytes`;
 *   times in the timescale of the track. Empty when it is not a fragment, or when a sample lies outside of it.
 */
export function readSamples(bytes) {
  const data = view(bytes);
  const samples = [];
  let moof = 0;
  let usual = { duration: 0, size: 0 };
  let decode = 0;
  for (const box of boxes(data)) {
    if (box.type === "moof") moof = box.start - 8;
    else if (box.type === "tfhd") usual = { duration: usualDuration(data, box), size: usualSize(data, box) };
    else if (box.type === "tfdt") decode = decodeTime(data, box);
    else if (box.type === "trun") {
      for (const sample of runSamples(data, box, usual)) {
        const offset = moof + sample.offset;
        if (offset < 0 || offset + sample.size > bytes.byteLength) return [];
        samples.push({ ...sample, offset, decode, shown: decode + sample.composition });
        decode += sample.duration;
      }
    }
  }
  return samples;
}

function usualSize(data, box) {
  const flags = data.getUint32(box.start) & 0xffffff;
  if (!(flags & 0x10)) return 0;
  const at = box.start + 8 + 4 * [0x1, 0x1, 0x2, 0x8].filter((flag) => flags & flag).length;
  return at + 4 <= box.end ? data.getUint32(at) : 0;
}

function* runSamples(data, box, usual) {
  if (box.end - box.start < 8) return;
  const signed = data.getUint8(box.start) === 1;
  const flags = data.getUint32(box.start) & 0xffffff;
  const count = data.getUint32(box.start + 4);
  let at = box.start + 8 + (flags & 0x1 ? 4 : 0) + (flags & 0x4 ? 4 : 0);
  if (at > box.end) return;
  let offset = flags & 0x1 ? data.getInt32(box.start + 8) : 0;
  const field = (flag, usually) => {
    if (!(flags & flag)) return usually;
    at += 4;
    return data.getUint32(at - 4);
  };
  const step = 4 * [0x100, 0x200, 0x400, 0x800].filter((flag) => flags & flag).length;
  for (let index = 0; index < count && at + step <= box.end; index += 1) {
    const duration = field(0x100, usual.duration);
    const size = field(0x200, usual.size);
    field(0x400, 0);
    const composition = signed ? field(0x800, 0) | 0 : field(0x800, 0);
    if (size === 0) return;
    yield { offset, size, duration, composition };
    offset += size;
  }
}
