import { readPem, writePem } from '../../../src/x509/pem.ts';
import type { Random } from './random.ts';

const odd = [0x00, 0x01, 0x02, 0x30, 0x7f, 0x80, 0x81, 0x84, 0xa0, 0xff];
const labels = ['CERTIFICATE', 'PRIVATE KEY', 'EC PRIVATE KEY', 'ENCRYPTED PRIVATE KEY', 'PKCS7'];

type Mutation = (bytes: Buffer, random: Random, others: readonly Buffer[]) => Buffer;

const plain: readonly Mutation[] = [
  (bytes, random) => withByte(bytes, random, (byte) => byte ^ (1 << random.int(8))),
  (bytes, random) => withByte(bytes, random, () => random.pick(odd)),
  (bytes, random) => bytes.subarray(0, random.int(bytes.length + 1)),
  (bytes, random) => bytes.subarray(random.int(bytes.length + 1)),
  (bytes, random) => {
    const [from, to] = span(bytes, random);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  },
  (bytes, random) => {
    const [from, to] = span(bytes, random);
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
  },
  (bytes, random) => {
    const at = random.int(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), random.bytes(random.int(16)), bytes.subarray(at)]);
  },
  (bytes, random, others) => {
    const other = random.pick(others);
    const [from, to] = span(other, random);
    const at = random.int(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), other.subarray(from, to), bytes.subarray(at)]);
  },
  (bytes, random, others) => Buffer.concat([bytes, random.pick(others)]),
];

/** Changes the octets that a block of PEM holds, so that the change is not lost in broken base64. */
function inside(bytes: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  const text = bytes.toString('latin1');
  const label = random.pick(labelsOf(text));
  const inner = random.pick(readPem(text, label));
  const block = new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`);
  return Buffer.from(
    text.replace(block, writePem(random.pick(plain)(inner, random, others), label)),
    'latin1',
  );
}

function labelsOf(text: string): readonly string[] {
  return labels.filter((label) => readPem(text, label).length > 0);
}

/** One to four changes of one kind or another. */
export function mutate(bytes: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  let changed = bytes;
  for (let left = 1 + random.int(4); left > 0; left--) {
    const isPem = labelsOf(changed.toString('latin1')).length > 0;
    const mutation = isPem && random.int(3) > 0 ? inside : random.pick(plain);
    changed = mutation(changed, random, others);
  }
  return changed;
}

function withByte(bytes: Buffer, random: Random, change: (byte: number) => number): Buffer {
  if (bytes.length === 0) return bytes;
  const copy = Buffer.from(bytes);
  const at = random.int(copy.length);
  copy.writeUInt8(change(copy.readUInt8(at)), at);
  return copy;
}

function span(bytes: Buffer, random: Random): readonly [from: number, to: number] {
  const from = random.int(bytes.length + 1);
  return [from, from + random.int(Math.min(64, bytes.length - from) + 1)];
}
