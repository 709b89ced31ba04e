import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Instant } from '../core/types.ts';
import { encodeName, uint16 } from './wire.ts';

export type TsigAlgorithm = 'hmac-sha256' | 'hmac-sha384' | 'hmac-sha512';

export interface TsigKey {
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  readonly secret: Uint8Array;
}

/**
 * unsigned: no TSIG record in the answer · refused: the server did not take our signature (its answer is then unsigned,
 * RFC 8945 §5.2) · forged: a signature that does not hold.
 */
export type TsigVerdict =
  | { readonly kind: 'valid' | 'unsigned' }
  | { readonly kind: 'refused'; readonly error: string; readonly serverTime?: Instant | undefined }
  | { readonly kind: 'forged'; readonly reason: string };

interface TsigRecord {
  /** Where it starts in the message. */
  readonly start: number;
  readonly name: string;
  readonly algorithm: string;
  readonly signedAtSeconds: number;
  readonly fudge: number;
  readonly mac: Buffer;
  readonly originalId: number;
  readonly error: number;
  readonly other: Buffer;
}

const typeTsig = 250;
const classAny = 255;
/** RFC 8945 §10 recommends five minutes. */
const fudgeSeconds = 300;
const digests = { 'hmac-sha256': 'sha256', 'hmac-sha384': 'sha384', 'hmac-sha512': 'sha512' } as const;
const errors: Readonly<Record<number, string>> = {
  16: 'BADSIG',
  17: 'BADKEY',
  18: 'BADTIME',
  22: 'BADTRUNC',
};

/** Appends a TSIG record (RFC 8945 §5.1). Keep `mac`: the answer's signature covers it. */
export function signMessage(
  message: Buffer,
  key: TsigKey,
  now: Instant,
): { readonly message: Buffer; readonly mac: Buffer } {
  const time = encodeTime(Math.floor(now / 1000));
  const algorithm = encodeName(key.algorithm);
  const mac = createHmac(digests[key.algorithm], key.secret)
    .update(message)
    .update(variables(key.name, algorithm, { time, fudge: fudgeSeconds, error: 0, other: Buffer.alloc(0) }))
    .digest();
  const id = message.subarray(0, 2);
  const rdata = Buffer.concat([algorithm, time, uint16(fudgeSeconds, mac.length), mac, id, uint16(0, 0)]);
  const record = Buffer.concat([encodeName(key.name), uint16(typeTsig, classAny, 0, 0, rdata.length), rdata]);
  const signed = Buffer.concat([message, record]);
  signed.writeUInt16BE(message.readUInt16BE(10) + 1, 10);
  return { message: signed, mac };
}

/** Checks the answer to a message that `signMessage` signed (RFC 8945 §5.3). */
export function verifyReply(
  reply: Buffer,
  key: TsigKey,
  { requestMac, now }: { readonly requestMac: Buffer; readonly now: Instant },
): TsigVerdict {
  let record: TsigRecord | undefined;
  try {
    record = findTsig(reply);
  } catch {
    return { kind: 'forged', reason: 'the answer is malformed' };
  }
  if (record === undefined) return { kind: 'unsigned' };
  if (record.error !== 0) {
    const serverTime = record.other.length === 6 ? record.other.readUIntBE(0, 6) * 1000 : undefined;
    return { kind: 'refused', error: errors[record.error] ?? `TSIG error ${record.error}`, serverTime };
  }
  if (record.name !== key.name.toLowerCase() || record.algorithm !== key.algorithm) {
    return { kind: 'forged', reason: `the answer is signed with another key (${record.name})` };
  }
  const expected = macOfReply(reply, record, { key, requestMac });
  if (expected.length !== record.mac.length || !timingSafeEqual(expected, record.mac)) {
    return { kind: 'forged', reason: 'the signature of the answer is wrong' };
  }
  if (Math.abs(now / 1000 - record.signedAtSeconds) > record.fudge) {
    return { kind: 'forged', reason: 'the answer was signed at another time' };
  }
  return { kind: 'valid' };
}

/** Over the message as it was before the TSIG record came to it, with its original id and record count. */
function macOfReply(
  reply: Buffer,
  record: TsigRecord,
  { key, requestMac }: { readonly key: TsigKey; readonly requestMac: Buffer },
): Buffer {
  const unsigned = Buffer.from(reply.subarray(0, record.start));
  unsigned.writeUInt16BE(record.originalId, 0);
  unsigned.writeUInt16BE(reply.readUInt16BE(10) - 1, 10);
  const time = encodeTime(record.signedAtSeconds);
  const { fudge, error, other } = record;
  return createHmac(digests[key.algorithm], key.secret)
    .update(uint16(requestMac.length))
    .update(requestMac)
    .update(unsigned)
    .update(variables(key.name, encodeName(key.algorithm), { time, fudge, error, other }))
    .digest();
}

/** RFC 8945 §4.3.3. */
function variables(
  keyName: string,
  algorithm: Buffer,
  fields: Pick<TsigRecord, 'fudge' | 'error' | 'other'> & { readonly time: Buffer },
): Buffer {
  const { time, fudge, error, other } = fields;
  const classAndTtl = uint16(classAny, 0, 0);
  return Buffer.concat([
    encodeName(keyName),
    classAndTtl,
    algorithm,
    time,
    uint16(fudge, error, other.length),
    other,
  ]);
}

function encodeTime(seconds: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(seconds, 0, 6);
  return bytes;
}

/** The TSIG record, which must be the last of the message; undefined: there is none. Throws on a malformed message. */
function findTsig(message: Buffer): TsigRecord | undefined {
  let at = 12;
  for (let left = message.readUInt16BE(4); left > 0; left--) at = readName(message, at).end + 4;
  const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  for (let left = records; left > 0; left--) {
    const owner = readName(message, at);
    const type = message.readUInt16BE(owner.end);
    const rdata = owner.end + 10;
    const end = rdata + message.readUInt16BE(owner.end + 8);
    if (left === 1 && type === typeTsig && message.readUInt16BE(10) > 0) {
      return readTsig(message, { start: at, name: owner.name, rdata });
    }
    at = end;
  }
  return undefined;
}

function readTsig(
  message: Buffer,
  { start, name, rdata }: { readonly start: number; readonly name: string; readonly rdata: number },
): TsigRecord {
  const algorithm = readName(message, rdata);
  const at = algorithm.end;
  const macLength = message.readUInt16BE(at + 8);
  const afterMac = at + 10 + macLength;
  const otherLength = message.readUInt16BE(afterMac + 4);
  return {
    start,
    name,
    algorithm: algorithm.name,
    signedAtSeconds: message.readUIntBE(at, 6),
    fudge: message.readUInt16BE(at + 6),
    mac: message.subarray(at + 10, afterMac),
    originalId: message.readUInt16BE(afterMac),
    error: message.readUInt16BE(afterMac + 2),
    other: message.subarray(afterMac + 6, afterMac + 6 + otherLength),
  };
}

/** Follows compression pointers, which must point backwards (RFC 1035 §4.1.4); `end` is after the name as it stands. */
function readName(message: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = start;
  let earliest = start;
  let end: number | undefined;
  for (;;) {
    const length = message.readUInt8(at);
    if (length === 0) break;
    if (length >= 0xc0) {
      const target = message.readUInt16BE(at) & 0x3fff;
      if (target >= earliest) throw new Error('a compression pointer points forwards');
      end ??= at + 2;
      at = target;
      earliest = target;
    } else {
      labels.push(message.toString('latin1', at + 1, at + 1 + length));
      at += length + 1;
    }
  }
  return { name: labels.join('.').toLowerCase(), end: end ?? at + 1 };
}
