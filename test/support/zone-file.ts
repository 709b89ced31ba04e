/** A zone in a file of its own; `.` is the empty name. Without records it has an address (127.0.0.1) for itself and for `*`. */
export function zoneFile(zone: string, records: readonly string[]): string {
  const server = zone === '' ? 'ns.invalid.' : `ns1.${zone}.`;
  const own = records.length > 0 ? records : ['@ IN A 127.0.0.1', '* IN A 127.0.0.1'];
  return [
    '$TTL 60',
    `@ IN SOA ${server} hostmaster.invalid. 1 3600 600 86400 1`,
    `@ IN NS ${server}`,
    ...(zone === '' ? ['ns.invalid. IN A 127.0.0.1'] : [`ns1 IN A 127.0.0.1`, ...own]),
    '',
  ].join('\n');
}

/** Of the zones, the longest that holds the owner of a line. */
function zoneOf(line: string, zones: readonly string[]): string | undefined {
  const owner = (line.split(/\s+/)[0] ?? '').replace(/\.$/, '').toLowerCase();
  return zones
    .filter((zone) => owner === zone || owner.endsWith(`.${zone}`))
    .sort((a, b) => b.length - a.length)[0];
}

/** Those of the lines that go into this one of the zones. */
export function recordsIn(
  zone: string,
  zones: readonly string[],
  records: readonly string[],
): readonly string[] {
  return records.filter((line) => zoneOf(line, zones) === zone);
}
