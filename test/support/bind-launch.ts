import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transferZone } from './axfr.ts';
import { freePort } from './ports.ts';
import { accepts, startProcess } from './process.ts';
import { testFolder } from './run-folder.ts';
import { recordsIn, zoneFile } from './zone-file.ts';

export interface BindOptions {
  /** Zones it is primary for, without trailing dot. */
  readonly zones: readonly string[];
  /**
   * Lines of a zone file with absolute owner names (`www.example.test. 60 IN A 127.0.0.1`); each goes into the longest
   * zone that holds its owner. A zone without any gets an address (127.0.0.1) for itself and for `*`.
   */
  readonly records?: readonly string[] | undefined;
  /** Names at which it refuses all updates. */
  readonly refused?: readonly string[] | undefined;
  /** Of the TSIG key; default `acme-key`. */
  readonly keyName?: string | undefined;
}

export interface TestBind {
  /** `127.0.0.1:port`, UDP and TCP; answers recursive questions too, for its own zones only. */
  readonly address: string;
  readonly port: number;
  /** May add and remove TXT records anywhere in the zones, and nothing else. The secret is base64. */
  readonly tsig: { readonly name: string; readonly algorithm: 'hmac-sha256'; readonly secret: string };
  /** The zone as it is now, one record a line, sorted. */
  zoneText(zone: string): Promise<string>;
  output(): string;
  stop(): Promise<void>;
}

/** A BIND of its own with a root zone of its own: CNAMEs between its zones are followed, nothing leaves loopback. */
export async function launchBind(program: string, options: BindOptions): Promise<TestBind> {
  const port = await freePort();
  const folder = testFolder('bind');
  const tsig = {
    name: options.keyName ?? 'acme-key',
    algorithm: 'hmac-sha256' as const,
    secret: randomBytes(32).toString('base64'),
  };
  writeFileSync(join(folder, 'root.zone'), zoneFile('', []));
  for (const zone of options.zones) {
    const records = recordsIn(zone, options.zones, options.records ?? []);
    writeFileSync(join(folder, `${zone}.zone`), zoneFile(zone, records));
  }
  const config = join(folder, 'named.conf');
  writeFileSync(config, configuration({ folder, port, tsig, ...options }), { mode: 0o600 });
  const server = await startProcess({
    name: 'named',
    command: [program, '-n', '1', '-g', '-c', config],
    ready: () => accepts({ port }),
  });
  return {
    address: `127.0.0.1:${port}`,
    port,
    tsig,
    zoneText: (zone) => transferZone(zone, port),
    output: () => server.output(),
    stop: async () => {
      await server.stop();
    },
  };
}

interface Configuration extends BindOptions {
  readonly folder: string;
  readonly port: number;
  readonly tsig: TestBind['tsig'];
}

function configuration({ folder, port, tsig, zones, refused = [] }: Configuration): string {
  const key = `"${tsig.name}."`;
  const denials = refused.map((name) => `deny ${key} name ${name}. TXT; `).join('');
  return `
options {
  directory "${folder}";
  pid-file "${folder}/named.pid";
  session-keyfile "${folder}/session.key";
  managed-keys-directory "${folder}";
  lock-file none;
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  dnssec-validation no;
  notify no;
  empty-zones-enable no;
  recursion yes;
  allow-recursion { 127.0.0.1; };
  allow-transfer { 127.0.0.1; };
};
controls { };
key ${key} { algorithm ${tsig.algorithm}; secret "${tsig.secret}"; };
zone "." { type primary; file "${folder}/root.zone"; };
${zones
  .map(
    (zone) =>
      `zone "${zone}" { type primary; file "${folder}/${zone}.zone"; update-policy { ${denials}grant ${key} zonesub TXT; }; };`,
  )
  .join('\n')}
`;
}
