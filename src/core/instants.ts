const names = /(^at|At|Since|Until|^asOf|^until|^notBefore|^notAfter|^start|^end)$/;
const last = 8.64e15;

/** For whatever prints facts: an instant, known by its name, as ISO 8601 in UTC; all else as it is. */
export function withIsoInstant(name: string, value: unknown): unknown {
  const isInstant = typeof value === 'number' && names.test(name) && Math.abs(value) <= last;
  return isInstant ? new Date(value).toISOString() : value;
}
