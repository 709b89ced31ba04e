import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type AgentSite, agentSite } from '../support/agent.ts';
import type { TestBind } from '../support/bind.ts';
import { type DnsFront, startDnsFront } from '../support/dns-front.ts';
import type { TestPebble } from '../support/pebble.ts';
import { createZoneStore, type ZoneStore } from '../support/zone-store.ts';
import { issuerAt } from './given.ts';

export interface ZonesOptions {
  readonly pebble: TestPebble;
  readonly proxy?: { readonly directoryUrl: string; readonly caFile: string } | undefined;
  /** `127.0.0.1:port` of the server that is resolver and authority of all zones. */
  readonly dns: string;
  /** Of the one DNS account. */
  readonly account: object;
  readonly domains: readonly object[];
  /** Merged over the rest. */
  readonly config?: object | undefined;
}

/** A site whose domains are proven by DNS-01 through one account, deployed to files. */
export async function zonesSite(options: ZonesOptions): Promise<AgentSite> {
  const site = await agentSite({});
  site.configure(zonesConfig(site, options));
  return site;
}

export function zonesConfig(
  { folder }: AgentSite,
  { pebble, proxy, dns, account, domains, config }: ZonesOptions,
): object {
  return {
    issuers: { pebble: issuerAt(pebble, proxy) },
    dnsAccounts: { zones: { nameservers: [dns], ...account } },
    resolvers: [dns],
    deployTargets: { web: { target: 'files', path: join(folder, 'certificates') } },
    defaults: { dnsAccount: 'zones' },
    domains,
    ...config,
  };
}

/** An account that writes to this BIND with its key. */
export function bindAccount({ address, tsig }: TestBind): object {
  return { provider: 'rfc2136', server: address, tsig };
}

/** The record sets of a zone, without the serial number that every change moves. */
export async function recordsOf(bind: TestBind, zone: string): Promise<readonly string[]> {
  return (await bind.zoneText(zone)).replace(/"serial":\d+/, '"serial":0').split('\n');
}

export interface ScriptedZone {
  readonly zones: ZoneStore;
  readonly dns: DnsFront;
  /** Where the script posts `{ verb, name, value }`. */
  readonly url: string;
  readonly calls: readonly string[];
  stop(): Promise<void>;
}

/** A zone that a program of the operator changes, by HTTP. */
export async function startScriptedZone(zone: string): Promise<ScriptedZone> {
  const zones = createZoneStore();
  zones.addZone(zone);
  const dns = await startDnsFront(zones);
  const calls: string[] = [];
  const server: Server = createServer((request, response) => {
    bodyOf(request).then(async (body) => {
      const { verb, name, value } = JSON.parse(body);
      const owner = name.replace(/\.$/, '');
      calls.push(`${verb} ${owner}`);
      const others = zones.txt(owner).filter((held) => held !== value);
      const values = verb === 'present' ? [...others, value] : others;
      await zones.write(zone, [{ name: owner, type: 'TXT', ttl: 5, values }]);
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    zones,
    dns,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    async stop() {
      server.closeAllConnections();
      await Promise.all([new Promise((resolve) => server.close(resolve)), dns.stop()]);
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}
