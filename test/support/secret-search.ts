/** Shorter ones are found by chance. */
export const shortestSecret = 12;

export type Encoding = 'raw' | 'hex' | 'base64' | 'base64url';

export interface SecretFound {
  /** Index of the secret as given. */
  readonly secret: number;
  readonly encoding: Encoding;
  readonly at: number;
}

interface Pattern {
  readonly secret: number;
  readonly encoding: Encoding;
  readonly bytes: Buffer;
}

/**
 * A search for many secrets at once: raw, in hex (either case), in base64 and base64url, the latter two also where the
 * secret starts in the middle of what was encoded, and through the line breaks of PEM. One pass over the text: only
 * where four bytes equal the end of a pattern is the whole compared. (The end, since all keys begin alike.)
 */
export function createSecretSearch(secrets: readonly Buffer[]): (text: Buffer) => SecretFound[] {
  const byEnd = new Map<number, Pattern[]>();
  // One bit for each hash of four bytes: nearly every position of the text ends here.
  const filter = new Uint8Array(1 << 16);
  for (const pattern of secrets.flatMap(patternsOf)) {
    const end = pattern.bytes.readUInt32LE(pattern.bytes.length - 4);
    filter[hash(end)] = 1;
    byEnd.set(end, [...(byEnd.get(end) ?? []), pattern]);
  }

  function scan(text: Buffer): SecretFound[] {
    const found: SecretFound[] = [];
    let window = 0;
    for (let index = 0; index < text.length; index++) {
      window = (window >>> 8) | ((text[index] ?? 0) << 24);
      if (filter[hash(window >>> 0)] === 0) continue;
      for (const { secret, encoding, bytes } of byEnd.get(window >>> 0) ?? []) {
        const at = index + 1 - bytes.length;
        if (at >= 0 && text.compare(bytes, 0, bytes.length, at, index + 1) === 0) {
          found.push({ secret, encoding, at });
        }
      }
    }
    return found;
  }

  return (text) => {
    const joined = withoutLineBreaks(text);
    return joined.length === text.length ? scan(text) : [...scan(text), ...scan(joined)];
  };
}

function hash(window: number): number {
  return (Math.imul(window, 0x9e3779b1) >>> 16) & 0xffff;
}

function patternsOf(secret: Buffer, index: number): Pattern[] {
  if (secret.length < shortestSecret) return [];
  const pattern = (encoding: Encoding, text: string): Pattern => ({
    secret: index,
    encoding,
    bytes: Buffer.from(text, 'ascii'),
  });
  const hex = secret.toString('hex');
  return [
    { secret: index, encoding: 'raw', bytes: secret },
    pattern('hex', hex),
    pattern('hex', hex.toUpperCase()),
    ...[0, 1, 2].flatMap((before) => {
      const text = alignedBase64(secret, before);
      return [pattern('base64', text), pattern('base64url', text.replaceAll('+', '-').replaceAll('/', '_'))];
    }),
  ];
}

/** The characters that depend on nothing but the secret when `before` other bytes (modulo three) stand before it. */
function alignedBase64(secret: Buffer, before: number): string {
  const text = Buffer.concat([Buffer.alloc(before), secret]).toString('base64');
  const first = Math.ceil((before * 8) / 6);
  const last = Math.floor(((before + secret.length) * 8) / 6);
  return text.slice(first, last);
}

/** Line breaks as bytes, and as the `\n` of JSON and of logs. */
function withoutLineBreaks(text: Buffer): Buffer {
  const kept = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (let index = 0; index < text.length; index++) {
    const byte = text[index] ?? 0;
    if (byte === 0x0a || byte === 0x0d) continue;
    const next = text[index + 1];
    if (byte === 0x5c && (next === 0x6e || next === 0x72)) {
      index++;
      continue;
    }
    kept[length++] = byte;
  }
  return kept.subarray(0, length);
}
