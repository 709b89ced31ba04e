/** The part of DER (X.690) that certificates and requests need. A reader that goes past the end throws RangeError. */

export const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  bmpString: 0x1e,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One element: `body` is its content, `whole` its encoding with tag and length. */
export interface DerNode {
  readonly tag: number;
  readonly body: Buffer;
  readonly whole: Buffer;
}

/** The element that starts at `offset`; what follows it is ignored. */
export function readDer(bytes: Uint8Array, offset = 0): DerNode {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { length, start } = readLength(buffer, offset + 1);
  const end = start + length;
  if (end > buffer.length) throw new RangeError('DER element ends past its container');
  return {
    tag: buffer.readUInt8(offset),
    body: buffer.subarray(start, end),
    whole: buffer.subarray(offset, end),
  };
}

/** Elements inside a constructed one, in order. */
export function children(node: DerNode): readonly DerNode[] {
  const found: DerNode[] = [];
  for (let offset = 0; offset < node.body.length; ) {
    const child = readDer(node.body, offset);
    found.push(child);
    offset += child.whole.length;
  }
  return found;
}

export function readOid(body: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of body) {
    arc = arc * 128 + (byte & 0x7f);
    if (byte & 0x80) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [first = 0, ...rest] = arcs;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - top * 40, ...rest].join('.');
}

/** UTCTime and GeneralizedTime as RFC 5280 §4.1.2.5 restricts them, in milliseconds since the epoch. */
export function readTime(node: DerNode): number {
  const text = node.body.toString('latin1');
  const match = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  if (!match) throw new RangeError(`time ${JSON.stringify(text)} is not in the form of RFC 5280`);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const century = text.length === 13 ? (year < 50 ? 2000 : 1900) : 0;
  return Date.UTC(century + year, month - 1, day, hour, minute, second);
}

export function der(tagByte: number, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([tagByte, ...lengthOctets(length)]), ...parts]);
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(tag.sequence, ...parts);
}

/** `[number]` around complete elements, or in place of a primitive's tag. */
export function context(number: number, constructed: boolean, ...parts: readonly Uint8Array[]): Buffer {
  return der(0x80 | (constructed ? 0x20 : 0) | number, ...parts);
}

/** A non-negative INTEGER from its big-endian bytes. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const magnitude = bytes.length === 0 ? Buffer.from([0]) : bytes.subarray(start);
  const sign = (magnitude[0] ?? 0) & 0x80 ? [Buffer.from([0])] : [];
  return der(tag.integer, ...sign, magnitude);
}

/** Whole octets only: no unused bits. */
export function bitString(bytes: Uint8Array): Buffer {
  return der(tag.bitString, Buffer.from([0]), bytes);
}

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return der(tag.oid, Buffer.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** UTCTime before 2050, GeneralizedTime from then on (RFC 5280 §4.1.2.5). Whole seconds; the rest is cut off. */
export function time(instant: number): Buffer {
  const text = `${new Date(instant).toISOString().slice(0, 19).replace(/\D/g, '')}Z`;
  const utc = text < '2050' && text >= '1950';
  return utc
    ? der(tag.utcTime, Buffer.from(text.slice(2), 'latin1'))
    : der(tag.generalizedTime, Buffer.from(text, 'latin1'));
}

function readLength(buffer: Buffer, offset: number): { readonly length: number; readonly start: number } {
  const first = buffer.readUInt8(offset);
  if (first < 0x80) return { length: first, start: offset + 1 };
  const octets = first & 0x7f;
  if (octets === 0 || octets > 4) throw new RangeError('DER length is indefinite or above 4 GiB');
  return { length: buffer.readUIntBE(offset + 1, octets), start: offset + 1 + octets };
}

function lengthOctets(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x80 | octets.length, ...octets];
}

function base128(arc: number): readonly number[] {
  const octets = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) {
    octets.unshift((rest % 128) | 0x80);
  }
  return octets;
}
