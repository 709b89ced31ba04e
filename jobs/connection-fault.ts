import type { Log } from '../src/core/ports.ts';

const codes: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOENT']);
const words =
  /^(Connection is closed|Stream isn't writeable|no sentinel names a master|READONLY|UNBLOCKED|MASTERDOWN|None of startup nodes|Failed to refresh slots)/;

/**
 * Takes the errors of a queue or worker. While Redis is away each of them tells of every attempt to reconnect; who made
 * the connection has said once that it failed, so that is for debugging only.
 */
export function faultsTo(log: Log, facts: object): (err: Error) => void {
  return (err) => {
    const code = 'code' in err ? err.code : undefined;
    const isAway = codes.has(code) || words.test(err.message);
    if (isAway) log.debug({ ...facts, reason: err.message }, 'connection attempt failed');
    else log.warn({ ...facts, err }, 'queue failed');
  };
}
