/** PEM (RFC 7468): text around DER. */

/** DER of each block with this label, in order; text outside the blocks is ignored. */
export function readPem(text: string, label = 'CERTIFICATE'): readonly Buffer[] {
  const block = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]*)-----END ${label}-----`, 'g');
  return [...text.matchAll(block)].map((match) => Buffer.from(match[1] ?? '', 'base64'));
}

/** One block with lines of 64 characters and a line break at the end. */
export function writePem(der: Uint8Array, label = 'CERTIFICATE'): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64');
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
