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

/** `text` with `***` for each private key in PEM, also where it begins before the text or ends behind it. */
export function maskKeys(text: string): string {
  const whole = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g;
  return text.replace(whole, '***').replace(/^[A-Za-z0-9+/=\s]*-----END [A-Z0-9 ]*PRIVATE KEY-----/, '***');
}
