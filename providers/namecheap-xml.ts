/** What Namecheap answers with; its values stand in attributes, texts only in errors. */
export interface XmlElement {
  /** In lower case: answers and documentation differ in it. */
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Up to the next tag. */
  readonly text: string;
}

/** All elements in the order in which they begin. */
export function readElements(xml: string): readonly XmlElement[] {
  return [...xml.matchAll(/<([A-Za-z][\w.-]*)((?:\s+[\w:.-]+\s*=\s*"[^"]*")*)\s*\/?>([^<]*)/g)].map(
    ([, name = '', attributes = '', text = '']) => ({
      name: name.toLowerCase(),
      attributes: readAttributes(attributes),
      text: decodeEntities(text.trim()),
    }),
  );
}

function readAttributes(text: string): Readonly<Record<string, string>> {
  const pairs = [...text.matchAll(/([\w:.-]+)\s*=\s*"([^"]*)"/g)];
  return Object.fromEntries(
    pairs.map(([, key = '', value = '']) => [key.toLowerCase(), decodeEntities(value)]),
  );
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function decodeEntities(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return entities[name] ?? whole;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
