const maxLength = 300;
/** Shorter parts of a header are words of its scheme. */
const minSecretLength = 8;

/** What an answer says of itself: in the places where vendors have it, or its text where that is short and plain. */
export function wordsOf({ body, text }: { readonly body: unknown; readonly text: string }): string {
  const found = textsIn(body);
  if (found.length > 0) return [...new Set(found)].join('; ');
  return body === undefined && !/^\s*</.test(text) ? text : '';
}

/** In one line, cut, and with nothing in it that is secret. */
export function cleanWords(words: string, secrets: readonly string[]): string {
  const forms = secrets.flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64'),
  ]);
  const masked = forms
    .filter((form) => form !== '')
    .sort((a, b) => b.length - a.length)
    .reduce((text, form) => text.replaceAll(form, '[secret]'), words);
  // Line breaks and other control characters would forge lines of a log.
  const line = masked.replace(/[\s\p{C}]+/gu, ' ').trim();
  return line.length > maxLength ? `${line.slice(0, maxLength)}…` : line;
}

/** Values of headers that authenticate, whole and in parts: `Bearer TOKEN`, `sso-key KEY:SECRET`. */
export function secretParts(headers: Readonly<Record<string, string>>): string[] {
  return Object.values(headers)
    .flatMap((value) => [value, ...value.split(/[\s:,;="']+/)])
    .filter((part) => part.length >= minSecretLength);
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Depth-first through the fields that hold messages; lists of texts or of objects with such fields. */
function textsIn(value: unknown, depth = 0): string[] {
  if (typeof value === 'string') return value === '' ? [] : [value];
  if (depth > 4 || typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((one) => textsIn(one, depth + 1));
  const fields = Object.entries(value).filter(([key]) => messageFields.test(key));
  return fields.flatMap(([, field]) => textsIn(field, depth + 1));
}

const messageFields =
  /^(?:errors?|messages?|msg|details?|title|description|reason|error_?(?:message|description|text)|error_chain|non_field_errors)$/i;
