import { refuse } from './refuse.ts';

/** One block of PEM (RFC 7468). */
export interface PemBlock {
  readonly label: string;
  /** Lines between the boundaries. */
  readonly body: string;
}

const boundary = '-----';
const mostBlocks = 50;

/**
 * The text of a file, whatever editor wrote it; undefined: it is no text. Latin-1: in a PEM file only comments, which are
 * ignored, hold anything else than ASCII.
 */
export function textOf(bytes: Uint8Array): string | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer[0] === 0xff && buffer[1] === 0xfe) return buffer.subarray(2).toString('utf16le');
  if (buffer[0] === 0xfe && buffer[1] === 0xff && buffer.length % 2 === 0)
    return Buffer.from(buffer.subarray(2)).swap16().toString('utf16le');
  if (buffer.includes(0)) return undefined;
  return buffer.toString('latin1').replace(/^\xef\xbb\xbf/, '');
}

/** The blocks in their order; what stands around them is ignored. `what`: the file, for messages. */
export function blocksOf(text: string, what: string): readonly PemBlock[] {
  const blocks: PemBlock[] = [];
  const begin = `${boundary}BEGIN `;
  for (let at = text.indexOf(begin); at !== -1; ) {
    const labelEnd = text.indexOf(boundary, at + begin.length);
    const label = text.slice(at + begin.length, labelEnd === -1 ? undefined : labelEnd);
    if (labelEnd === -1 || !/^[A-Z0-9 ]{1,40}$/.test(label))
      throw refuse(`${what} has a mangled line "BEGIN"; copy the file anew`);
    const end = `${boundary}END ${label}${boundary}`;
    const endAt = text.indexOf(end, labelEnd);
    const next = text.indexOf(begin, labelEnd);
    if (endAt === -1 || (next !== -1 && next < endAt))
      throw refuse(`${what} is cut off: the block "${label}" has no line "END ${label}"`);
    blocks.push({ label, body: text.slice(labelEnd + boundary.length, endAt) });
    if (blocks.length > mostBlocks) throw refuse(`${what} holds more than ${mostBlocks} blocks of PEM`);
    at = next;
  }
  if (blocks.length === 0) throw refuse(`${what} ${whyNoPem(text)}`);
  return blocks;
}

/** The octets that a block holds. */
export function octetsOf({ label, body }: PemBlock, what: string): Buffer {
  if (body.includes('\\n') || body.includes('\\r'))
    throw refuse(`${what} has its line breaks written as \\n; put real ones in their place`);
  const base64 = body.replace(/\s+/g, '');
  const stray = /[^A-Za-z0-9+/=]/.exec(base64)?.[0];
  if (stray !== undefined)
    throw refuse(`${what} is damaged: the block "${label}" has a character that is not of base64`);
  if (base64 === '') throw refuse(`${what} has an empty block "${label}"`);
  if (base64.length % 4 !== 0 || !/^[^=]*={0,2}$/.test(base64))
    throw refuse(`${what} is damaged: characters of the block "${label}" are missing`);
  return Buffer.from(base64, 'base64');
}

/** What a person may have taken for PEM. */
function whyNoPem(text: string): string {
  const start = text.trimStart();
  if (start === '') return 'is empty';
  if (/^(<!doctype|<html|<\?xml)/i.test(start)) return 'is a web page, not a certificate';
  if (start.startsWith('{')) return 'is JSON; give the PEM that stands in it';
  if (/^(ssh-|ecdsa-sha2-)/.test(start)) return 'is a key of SSH, which has no certificate of the web';
  if (/(BEGIN|END) [A-Z0-9 ]*(CERTIFICATE|KEY|PKCS7)/.test(text))
    return 'has lost dashes of its line "BEGIN": there are five before and five behind';
  if (/^[A-Za-z0-9+/=\s]+$/.test(text)) return whyBase64(text);
  return 'is neither PEM nor DER nor PKCS #12';
}

function whyBase64(text: string): string {
  const inner = Buffer.from(text, 'base64').toString('latin1');
  return inner.includes(`${boundary}BEGIN`)
    ? 'is PEM in base64 once more, as a Kubernetes secret holds it; decode it first'
    : 'is base64 without its lines "BEGIN" and "END"';
}
