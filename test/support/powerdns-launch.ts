import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transferZone } from './axfr.ts';
import { run } from './fetch/run.ts';
import { freePorts } from './ports.ts';
import { accepts, startProcess } from './process.ts';
import { testFolder } from './run-folder.ts';
import { recordsIn, zoneFile } from './zone-file.ts';

export interface PowerdnsOptions {
  /** Zones that it holds, without trailing dot. */
  readonly zones: readonly string[];
  /** As `records` of a BIND. */
  readonly records?: readonly string[] | undefined;
}

export interface TestPowerdns {
  /** `127.0.0.1:port`, UDP and TCP; follows CNAMEs between its own zones. */
  readonly address: string;
  readonly port: number;
  /** Of its HTTP API. */
  readonly apiUrl: string;
  readonly apiKey: string;
  /** May update the zones. The secret is base64. */
  readonly tsig: { readonly name: string; readonly algorithm: 'hmac-sha256'; readonly secret: string };
  /** The zone as it is now, one record a line, sorted. */
  zoneText(zone: string): Promise<string>;
  output(): string;
  stop(): Promise<void>;
}

export interface PowerdnsPrograms {
  readonly server: string;
  readonly util: string;
  readonly sqlite: string;
}

const keyName = 'acme-key';

/** A PowerDNS of its own on SQLite, with its API and DNS UPDATE; without caches, so that each answer is the present one. */
export async function launchPowerdns(
  programs: PowerdnsPrograms,
  { zones, records = [] }: PowerdnsOptions,
): Promise<TestPowerdns> {
  const [port = 0, apiPort = 0] = await freePorts(2);
  const folder = testFolder('powerdns');
  const apiKey = randomBytes(16).toString('hex');
  const secret = randomBytes(32).toString('base64');
  const root = rootOf(programs.server);
  const database = join(folder, 'zones.sqlite3');
  writeFileSync(join(folder, 'pdns.conf'), configuration({ folder, database, port, apiPort, apiKey, root }), {
    mode: 0o600,
  });
  await run([programs.sqlite, database, `.read ${join(root, schema)}`]);
  const util = (...args: string[]) => run([programs.util, `--config-dir=${folder}`, ...args]);
  // Its own program takes keys as arguments only, which everybody on the machine can read.
  const keys = join(folder, 'keys.sql');
  const row = `'${keyName}', 'hmac-sha256', '${secret}'`;
  writeFileSync(keys, `INSERT INTO tsigkeys (name, algorithm, secret) VALUES (${row});\n`, { mode: 0o600 });
  await run([programs.sqlite, database, `.read ${keys}`]);
  for (const zone of zones) {
    const file = join(folder, `${zone}.zone`);
    writeFileSync(file, zoneFile(zone, recordsIn(zone, zones, records)));
    await util('load-zone', zone, file);
    await util('set-meta', zone, 'TSIG-ALLOW-DNSUPDATE', keyName);
  }
  const server = await startProcess({
    name: 'pdns_server',
    command: [
      programs.server,
      ...[`--config-dir=${folder}`, '--guardian=no', '--daemon=no', '--write-pid=no'],
    ],
    ready: async () => (await accepts({ port })) && (await accepts({ port: apiPort })),
  });
  return {
    address: `127.0.0.1:${port}`,
    port,
    apiUrl: `http://127.0.0.1:${apiPort}`,
    apiKey,
    tsig: { name: keyName, algorithm: 'hmac-sha256', secret },
    zoneText: (zone) => transferZone(zone, port),
    output: () => server.output(),
    stop: async () => {
      await server.stop();
    },
  };
}

const schema = 'usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql';

/** Below which the packages lie: the system's own root, or the folder into which they were unpacked. */
export function rootOf(server: string): string {
  const unpacked = join(dirname(server), '..', 'powerdns');
  const found = [unpacked, '/'].find((root) => existsSync(join(root, schema)));
  if (found === undefined) throw new Error('the package pdns-backend-sqlite3 is not there');
  return found;
}

interface Configuration {
  readonly folder: string;
  readonly database: string;
  readonly port: number;
  readonly apiPort: number;
  readonly apiKey: string;
  readonly root: string;
}

function configuration({ folder, database, port, apiPort, apiKey, root }: Configuration): string {
  return [
    `module-dir=${modulesIn(root)}`,
    'launch=gsqlite3',
    // Updates are made in the order in which they come.
    'distributor-threads=1',
    `gsqlite3-database=${database}`,
    'gsqlite3-pragma-synchronous=0',
    'local-address=127.0.0.1',
    `local-port=${port}`,
    `socket-dir=${folder}`,
    'api=yes',
    `api-key=${apiKey}`,
    'webserver=yes',
    'webserver-address=127.0.0.1',
    `webserver-port=${apiPort}`,
    'webserver-allow-from=127.0.0.0/8',
    'cache-ttl=0',
    'negquery-cache-ttl=0',
    'query-cache-ttl=0',
    'zone-cache-refresh-interval=0',
    'dnsupdate=yes',
    'allow-dnsupdate-from=127.0.0.0/8',
    'allow-axfr-ips=127.0.0.0/8',
    '',
  ].join('\n');
}

/** `usr/lib/<architecture>/pdns`. */
export function modulesIn(root: string): string {
  const libraries = join(root, 'usr/lib');
  const folders = readdirSync(libraries).map((name) => join(libraries, name, 'pdns'));
  const found = folders.find((folder) => existsSync(join(folder, 'libgsqlite3backend.so')));
  if (found === undefined) throw new Error('the SQLite backend of PowerDNS is not there');
  return found;
}
