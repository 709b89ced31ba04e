import { children, type DerNode, readDer, readOid, tag } from '../der.ts';
import { decrypt, type Encrypted, type Opening, wrongPassword } from './pbes2.ts';
import { isMacRight } from './pkcs12-mac.ts';
import { refuse } from './refuse.ts';

export interface Pkcs12Content {
  readonly certificates: readonly Buffer[];
  /** PKCS #8 DER. */
  readonly keys: readonly Buffer[];
}

const oidOf = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  keyBag: '1.2.840.113549.1.12.10.1.1',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certBag: '1.2.840.113549.1.12.10.1.3',
  x509: '1.2.840.113549.1.9.22.1',
} as const;

const what = 'the PKCS #12 file';

/** `PFX ::= SEQUENCE { version 3, authSafe ContentInfo of kind data, … }`: how one is told from other DER. */
export function isPkcs12(node: DerNode): boolean {
  const [version, safe] = children(node);
  const [kind] = safe?.tag === tag.sequence ? children(safe) : [];
  return (
    version?.tag === tag.integer &&
    version.body.equals(Buffer.from([3])) &&
    kind?.tag === tag.oid &&
    readOid(kind.body).startsWith('1.2.840.113549.1.7.')
  );
}

/** RFC 7292, with integrity and privacy by password. Throws where the password is missing or wrong. */
export function readPkcs12(node: DerNode, given: Pick<Opening, 'password' | 'spend'>): Pkcs12Content {
  const opening = { ...given, what };
  const [, authSafe, macData] = children(node);
  if (authSafe === undefined) throw new RangeError('not PKCS #12');
  const octets = dataOf(authSafe);
  if (octets === undefined)
    throw refuse(`${what} is protected by a public key; write it anew, protected by a password`);
  if (macData !== undefined && !isMacRight(macData, octets, opening)) throw wrongPassword(opening);
  const bags = children(readDer(octets)).flatMap((part) => bagsOf(part, opening));
  const kinds = bags.map((bag) => readBag(bag, opening));
  return {
    certificates: kinds.flatMap(({ certificate }) => certificate ?? []),
    keys: kinds.flatMap(({ key }) => key ?? []),
  };
}

function bagsOf(part: DerNode, opening: Opening): readonly DerNode[] {
  const plain = dataOf(part);
  if (plain !== undefined) return children(readDer(plain));
  const [kind, wrapped] = children(part);
  if (kind === undefined || wrapped === undefined || readOid(kind.body) !== oidOf.encryptedData)
    throw refuse(`${what} is protected by a public key; write it anew, protected by a password`);
  const [, info] = children(readDer(wrapped.body));
  const [, algorithm, octets] = info === undefined ? [] : children(info);
  if (algorithm === undefined || octets?.tag !== 0x80) throw new RangeError('not EncryptedData');
  return children(readDer(open({ algorithm, octets: octets.body }, opening)));
}

/** A wrong password may leave padding that looks right: what comes out is then no structure. */
function open(encrypted: Encrypted, opening: Opening): Buffer {
  const plain = decrypt(encrypted, opening);
  try {
    children(readDer(plain));
    return plain;
  } catch {
    throw wrongPassword(opening);
  }
}

function readBag(bag: DerNode, opening: Opening): { readonly certificate?: Buffer; readonly key?: Buffer } {
  const [kind, wrapped] = children(bag);
  if (kind === undefined || wrapped === undefined) throw new RangeError('not a bag');
  const content = readDer(wrapped.body);
  switch (readOid(kind.body)) {
    case oidOf.keyBag:
      return { key: content.whole };
    case oidOf.shroudedKeyBag: {
      const [algorithm, octets] = children(content);
      if (algorithm === undefined || octets === undefined) throw new RangeError('not a key bag');
      return { key: open({ algorithm, octets: octets.body }, opening) };
    }
    case oidOf.certBag: {
      const [form, value] = children(content);
      const isX509 = form !== undefined && readOid(form.body) === oidOf.x509;
      return isX509 && value !== undefined ? { certificate: readDer(value.body).body } : {};
    }
    default:
      return {};
  }
}

/** Octets of a ContentInfo of kind data; undefined: it is of another kind. */
function dataOf(contentInfo: DerNode): Buffer | undefined {
  const [kind, wrapped] = children(contentInfo);
  if (kind === undefined || readOid(kind.body) !== oidOf.data || wrapped === undefined) return undefined;
  const octets = readDer(wrapped.body);
  if (octets.tag !== tag.octetString) throw new RangeError('not plain data');
  return octets.body;
}
