import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transferZone } from './axfr.ts';
import type { TestBind } from './bind-launch.ts';
import { freePort } from './ports.ts';
import { accepts, startProcess } from './process.ts';
import { testFolder } from './run-folder.ts';
import { recordsIn, zoneFile } from './zone-file.ts';

export interface KnotOptions {
  /** Zones that it holds, without trailing dot. */
  readonly zones: readonly string[];
  /** As `records` of a BIND. */
  readonly records?: readonly string[] | undefined;
}

/** As a BIND, but that it only answers for its zones: it follows no CNAME from one to the other. */
export type TestKnot = TestBind;

const keyName = 'acme-key';

/** A Knot of its own, which takes updates of TXT records with its key. */
export async function launchKnot(program: string, { zones, records = [] }: KnotOptions): Promise<TestKnot> {
  const port = await freePort();
  const folder = testFolder('knot');
  const secret = randomBytes(32).toString('base64');
  for (const zone of zones)
    writeFileSync(join(folder, `${zone}.zone`), zoneFile(zone, recordsIn(zone, zones, records)));
  const config = join(folder, 'knot.conf');
  writeFileSync(config, configuration({ folder, port, secret, zones }), { mode: 0o600 });
  const server = await startProcess({
    name: 'knotd',
    command: [program, '-c', config],
    ready: () => accepts({ port }),
  });
  return {
    address: `127.0.0.1:${port}`,
    port,
    tsig: { name: keyName, algorithm: 'hmac-sha256', secret },
    zoneText: (zone) => transferZone(zone, port),
    output: () => server.output(),
    stop: async () => {
      await server.stop();
    },
  };
}

interface Configuration extends KnotOptions {
  readonly folder: string;
  readonly port: number;
  readonly secret: string;
}

function configuration({ folder, port, secret, zones }: Configuration): string {
  return `
server:
  rundir: "${folder}"
  pidfile: "${folder}/knot.pid"
  listen: 127.0.0.1@${port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "${folder}"
log:
  - target: stderr
    any: info
key:
  - id: ${keyName}
    algorithm: hmac-sha256
    secret: ${secret}
acl:
  - id: updates
    key: ${keyName}
    action: update
    update-type: [TXT]
  - id: transfers
    address: 127.0.0.1
    action: transfer
template:
  - id: default
    storage: "${folder}"
    zonefile-sync: -1
    journal-content: changes
    semantic-checks: off
    acl: [updates, transfers]
zone:
${zones.map((zone) => `  - domain: ${zone}\n    file: "${folder}/${zone}.zone"`).join('\n')}
`;
}
