/**
 * A TXT value as zone files write it: character strings in quotes, parted by blanks, with \" \\ and \DDD in decimal.
 * undefined: it is not written so.
 */
export function readQuoted(text: string): string | undefined {
  if (!/^"(?:[^"\\]|\\[0-9]{3}|\\[^0-9])*"(?: +"(?:[^"\\]|\\[0-9]{3}|\\[^0-9])*")*$/.test(text))
    return undefined;
  const strings = text.match(/"(?:[^"\\]|\\.)*"/g) ?? [];
  const octets = strings.map((string) =>
    string
      .slice(1, -1)
      .replace(/\\([0-9]{3}|.)/g, (_, escaped: string) =>
        escaped.length === 3 ? String.fromCharCode(Number(escaped)) : escaped,
      ),
  );
  if (octets.some((part) => part.length > 255)) return undefined;
  return Buffer.from(octets.join(''), 'latin1').toString();
}

export function writeQuoted(value: string): string {
  const octets = Buffer.from(value).toString('latin1');
  const strings = octets.match(/[\s\S]{1,255}/g) ?? [''];
  return strings
    .map((part) => {
      const escaped = part
        .replace(/["\\]/g, '\\$&')
        .replace(/[^\x20-\x7e]/g, (octet) => `\\${String(octet.charCodeAt(0)).padStart(3, '0')}`);
      return `"${escaped}"`;
    })
    .join(' ');
}
