import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, type TestContext } from 'vitest';
import { type AgentSite, agentSite } from '../support/agent.ts';
import type { TestPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { type CallKind, type FakeAnswer, startProxy, type TestProxy } from '../support/proxy.ts';

export type Keep = <T extends { stop(): Promise<unknown> }>(one: T) => T;

/** What a test starts is stopped after it, the last first. */
export function keepUntilEnd(): Keep {
  const running: { stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
  });
  return (one) => {
    running.push(one);
    return one;
  };
}

/** The same for one of several tests that run at once. */
export function keepFor({ onTestFinished }: Pick<TestContext, 'onTestFinished'>): Keep {
  return (one) => {
    onTestFinished(async () => {
      await one.stop();
    });
    return one;
  };
}

export function proxyBefore({ directoryUrl, caFile }: TestPebble): Promise<TestProxy> {
  return startProxy({ upstream: directoryUrl, caFile });
}

/** What a configuration needs to order at this Pebble, or at a proxy in front of it. */
export function issuerAt(
  pebble: TestPebble,
  proxy?: { readonly directoryUrl: string; readonly caFile: string },
): object {
  const { directoryUrl, caFile } = proxy ?? pebble;
  return { directory: directoryUrl, trust: caFile, email: 'operator@example.test', agreeToTerms: true };
}

export interface HostsOptions {
  readonly pebble: TestPebble;
  readonly proxy?: { readonly directoryUrl: string; readonly caFile: string } | undefined;
  readonly hosts: readonly string[];
  /** Merged over the rest. */
  readonly config?: object | undefined;
}

/** A site whose domain `hosts.test` has these hosts by HTTP-01, deployed to files. */
export async function hostsSite(options: HostsOptions): Promise<AgentSite> {
  const site = await agentSite({});
  site.configure(hostsConfig(site, options));
  return site;
}

export function hostsConfig({ folder }: AgentSite, { pebble, proxy, hosts, config }: HostsOptions): object {
  return {
    http01: { port: pebble.httpPort, address: '127.0.0.1' },
    issuers: { pebble: issuerAt(pebble, proxy) },
    deployTargets: { web: { target: 'files', path: join(folder, 'certificates') } },
    domains: [hostsDomain(hosts)],
    ...config,
  };
}

export function hostsDomain(hosts: readonly string[]): object {
  return { name: 'hosts.test', mode: 'individual', challenge: 'http-01', hosts };
}

export function hostNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `h${index}.hosts.test`);
}

export interface Deployed {
  readonly serial: string;
  readonly names: string;
  readonly selfSigned: boolean;
}

/** What lies at the files target for a label, undefined while nothing does. */
export function deployed(site: AgentSite, label: string, domain = 'hosts.test'): Deployed | undefined {
  try {
    const folder = join(site.folder, 'certificates', domain, label.replace('*', '_wildcard'));
    const certificate = new X509Certificate(readFileSync(join(folder, 'fullchain.pem')));
    // Not checkIssued: a leaf may not sign, so that denies what the signature shows.
    const selfSigned = certificate.verify(certificate.publicKey);
    return { serial: certificate.serialNumber, names: certificate.subjectAltName ?? '', selfSigned };
  } catch {
    return undefined;
  }
}

/** Serial numbers of the CA's certificates by label; waits until each label has one, unlike `before` where given. */
export async function issued(
  site: AgentSite,
  labels: readonly string[],
  options: { before?: ReadonlyMap<string, string>; domain?: string; timeoutMs?: number } = {},
): Promise<ReadonlyMap<string, string>> {
  const { before, domain, timeoutMs = 60_000 } = options;
  const isNew = (label: string) => {
    const seen = deployed(site, label, domain);
    return seen !== undefined && !seen.selfSigned && seen.serial !== before?.get(label);
  };
  await until(`${labels.length} certificates are deployed`, () => labels.every(isNew), timeoutMs);
  return new Map(labels.map((label) => [label, deployed(site, label, domain)?.serial ?? '']));
}

/** Waits until `why` says these words of a host, and resolves with all that it says. */
export async function explained(site: AgentSite, host: string, words: RegExp | string): Promise<string> {
  let said = '';
  await until(
    `why ${host} says ${words}`,
    async () => {
      said = (await site.ask('why', host)).stdout;
      if (typeof words === 'string' ? said.includes(words) : words.test(said)) return true;
      // Each look opens the store anew.
      await new Promise((resolve) => setTimeout(resolve, 250));
      return false;
    },
    60_000,
  ).catch((error: unknown) => {
    throw new Error(`${error}; it says:\n${said}`);
  });
  return said;
}

/** Calls of a kind that the CA took; not those with a nonce that it rejected. */
export function accepted({ calls }: TestProxy, kind: CallKind): number {
  return calls.filter((call) => call.kind === kind && (call.status ?? 200) < 300).length;
}

/** The CA answers so to every order, until it is mended. */
export function breakOrders(proxy: TestProxy, answer: FakeAnswer): { mend(): void } {
  let isBroken = true;
  proxy.status(({ kind }) => isBroken && kind === 'newOrder', { nonce: true, ...answer, times: 1e6 });
  return {
    mend: () => {
      isBroken = false;
    },
  };
}

/** Calls for an order, whatever the answer: who counts them has a CA that rejects no nonces. */
export function asked({ calls }: TestProxy): number {
  return calls.filter(({ kind }) => kind === 'newOrder').length;
}
