/**
 * TXT values as zone files and most APIs write them (RFC 1035 §5.1): quoted strings of at most 255 octets, parted by
 * blanks. Octets outside printable ASCII are written as a backslash and three digits of the given base.
 */
export function quoteTxt(value: string, base: 8 | 10): string {
  const octets = Buffer.from(value);
  const strings: string[] = [];
  for (let start = 0; start === 0 || start < octets.length; start += 255) {
    const part = octets.subarray(start, start + 255);
    strings.push(`"${[...part].map((octet) => escapeOctet(octet, base)).join('')}"`);
  }
  return strings.join(' ');
}

/** The other way round; strings without quotes are taken as they stand. */
export function unquoteTxt(text: string, base: 8 | 10): string {
  const strings = text.match(/"(?:[^"\\]|\\.)*"|[^\s"]+/gs) ?? [];
  return Buffer.concat(strings.map((part) => unescapeText(part.replace(/^"(.*)"$/s, '$1'), base))).toString();
}

/** Quoted, with the escapes of zone files, which are decimal. */
export const quotedForm = {
  write: (value: string) => quoteTxt(value, 10),
  read: (text: string) => unquoteTxt(text, 10),
};

function escapeOctet(octet: number, base: 8 | 10): string {
  const character = String.fromCharCode(octet);
  if (character === '"' || character === '\\') return `\\${character}`;
  if (octet >= 0x20 && octet < 0x7f) return character;
  return `\\${octet.toString(base).padStart(3, '0')}`;
}

function unescapeText(text: string, base: 8 | 10): Buffer {
  const parts = text.match(/\\\d{3}|\\.|[^\\]+/gs) ?? [];
  return Buffer.concat(
    parts.map((part) => {
      if (/^\\\d{3}$/.test(part)) return Buffer.from([Number.parseInt(part.slice(1), base) & 0xff]);
      return Buffer.from(part.startsWith('\\') ? part.slice(1) : part);
    }),
  );
}
