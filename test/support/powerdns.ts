import { hasServer, serverProgram } from './fetch/index.ts';
import { launchPowerdns, type PowerdnsOptions, type TestPowerdns } from './powerdns-launch.ts';

export type { PowerdnsOptions, TestPowerdns } from './powerdns-launch.ts';

export function hasPowerdns(): boolean {
  return hasServer('pdns_server');
}

/** A PowerDNS of its own; see `launchPowerdns`. */
export function startPowerdns(options: PowerdnsOptions): Promise<TestPowerdns> {
  const programs = {
    server: serverProgram('pdns_server'),
    util: serverProgram('pdnsutil'),
    sqlite: serverProgram('sqlite3'),
  };
  return launchPowerdns(programs, options);
}
