/** What a TLS client says first, as far as a connection is routed by it (RFC 8446 §4.1.2). */
export interface ClientHello {
  /** Of SNI (RFC 6066 §3), lower-case. */
  readonly serverName?: string | undefined;
  /** Of ALPN (RFC 7301), in the client's order. */
  readonly protocols: readonly string[];
}

/**
 * `more`: nothing can be said before so many bytes are there in all. `malformed`: TLS of a client that is broken, or
 * breaks on purpose. `foreign`: no TLS at all.
 */
export type HelloReading =
  | { readonly is: 'hello'; readonly hello: ClientHello }
  | { readonly is: 'more'; readonly atLeast: number }
  | { readonly is: 'malformed' }
  | { readonly is: 'foreign' };

const handshakeRecord = 22;
const clientHello = 1;
const recordHeader = 5;
const handshakeHeader = 4;
const longestRecord = 16_384;
const extensionOf = { serverName: 0, protocols: 16 } as const;

/** Reads the start of a connection. Never throws. */
export function readClientHello(bytes: Buffer): HelloReading {
  const [type, major] = bytes;
  if (type !== undefined && type !== handshakeRecord) return { is: 'foreign' };
  if (major !== undefined && major !== 3) return { is: 'foreign' };
  const fragments: Buffer[] = [];
  let held = 0;
  for (let offset = 0; ; ) {
    if (bytes.length < offset + recordHeader) return { is: 'more', atLeast: offset + recordHeader };
    const length = bytes.readUInt16BE(offset + 3);
    const isSound = bytes[offset] === handshakeRecord && length > 0 && length <= longestRecord;
    if (!isSound) return { is: 'malformed' };
    const end = offset + recordHeader + length;
    fragments.push(bytes.subarray(offset + recordHeader, end));
    held += length;
    if (bytes.length < end) return isHopeless(fragments) ? { is: 'malformed' } : { is: 'more', atLeast: end };
    if (held >= handshakeHeader) {
      const message = Buffer.concat(fragments);
      if (message[0] !== clientHello) return { is: 'malformed' };
      const whole = handshakeHeader + message.readUIntBE(1, 3);
      if (held >= whole) return readMessage(message.subarray(handshakeHeader, whole));
    }
    offset = end;
  }
}

/** Another message than a ClientHello need not be waited for. */
function isHopeless([first]: readonly Buffer[]): boolean {
  return first?.[0] !== undefined && first[0] !== clientHello;
}

function readMessage(message: Buffer): HelloReading {
  try {
    const fields = createCursor(message);
    // Version and random.
    fields.skip(34);
    // Session, cipher suites, compression methods.
    fields.vector(1);
    fields.vector(2);
    fields.vector(1);
    return { is: 'hello', hello: fields.isEnd() ? { protocols: [] } : readExtensions(fields.vector(2)) };
  } catch (error) {
    if (error instanceof RangeError) return { is: 'malformed' };
    throw error;
  }
}

function readExtensions(extensions: Cursor): ClientHello {
  let serverName: string | undefined;
  let protocols: readonly string[] = [];
  while (!extensions.isEnd()) {
    const type = extensions.number(2);
    const content = extensions.vector(2);
    if (type === extensionOf.serverName) serverName ??= readServerName(content.vector(2));
    if (type === extensionOf.protocols) protocols = readProtocols(content.vector(2));
  }
  return { serverName, protocols };
}

function readServerName(list: Cursor): string | undefined {
  while (!list.isEnd()) {
    const isHostName = list.number(1) === 0;
    const name = list.vector(2).text();
    if (isHostName) return name.toLowerCase();
  }
  return undefined;
}

function readProtocols(list: Cursor): readonly string[] {
  const protocols: string[] = [];
  while (!list.isEnd()) protocols.push(list.vector(1).text());
  return protocols;
}

/** Reads on and on; past the end it throws RangeError. */
interface Cursor {
  isEnd(): boolean;
  skip(count: number): void;
  number(octets: number): number;
  /** What follows a length of so many octets. */
  vector(octets: number): Cursor;
  text(): string;
}

function createCursor(bytes: Buffer): Cursor {
  let at = 0;

  function take(count: number): Buffer {
    if (at + count > bytes.length) throw new RangeError('the message ends within a field');
    at += count;
    return bytes.subarray(at - count, at);
  }

  const number = (octets: number) => take(octets).readUIntBE(0, octets);
  return {
    isEnd: () => at === bytes.length,
    skip: (count) => void take(count),
    number,
    vector: (octets) => createCursor(take(number(octets))),
    text: () => take(bytes.length - at).toString('latin1'),
  };
}
