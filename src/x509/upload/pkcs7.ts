import { children, type DerNode, readDer, readOid, tag } from '../der.ts';

const signedData = '1.2.840.113549.1.7.2';

export function isPkcs7(node: DerNode): boolean {
  const [kind] = node.tag === tag.sequence ? children(node) : [];
  return kind?.tag === tag.oid && readOid(kind.body) === signedData;
}

/** The certificates of a PKCS #7 file (`.p7b`, `.p7c`; RFC 5652 §5.1), in no order that means anything. */
export function readPkcs7(node: DerNode): readonly Buffer[] {
  const [, wrapped] = children(node);
  if (wrapped === undefined) throw new RangeError('not PKCS #7');
  const set = children(readDer(wrapped.body)).find((field) => field.tag === 0xa0);
  return set === undefined ? [] : children(set).map(({ whole }) => whole);
}
