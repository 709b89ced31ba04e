/** `text` with `***` for each of the secrets, without its first `skip` characters, which may hold the rest of one that was cut in two. */
export function mask(text: string, secrets: readonly string[], skip = 0): string {
  const longestFirst = [...secrets].sort((a, b) => b.length - a.length);
  const pattern = longestFirst.map((secret) => secret.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|');
  const found = pattern === '' ? [] : [...text.matchAll(new RegExp(pattern, 'g'))];
  let at = skip;
  let masked = '';
  for (const { index, 0: secret } of found) {
    if (index >= at) masked += `${text.slice(at, index)}***`;
    at = Math.max(at, index + secret.length);
  }
  return masked + text.slice(at);
}
