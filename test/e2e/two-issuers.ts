import { z } from 'zod';
import type { AgentSite } from '../support/agent.ts';
import { startPebble } from '../support/pebble.ts';
import type { FakeAnswer, TestProxy } from '../support/proxy.ts';
import { hostsSite, issuerAt, type Keep, proxyBefore } from './given.ts';

/** Too long to be slept in a job, so that a fault costs no time. */
export const retryAfter = { 'retry-after': '20' };
export const unavailable: FakeAnswer = { code: 502, headers: retryAfter, body: 'upstream is down' };

export interface TwoIssuers {
  readonly site: AgentSite;
  readonly first: TestProxy;
  readonly second: TestProxy;
}

/** One CA under two names, each with its own account. */
export async function twoIssuers(
  keep: Keep,
  hosts: readonly string[],
  config: object = {},
): Promise<TwoIssuers> {
  const pebble = keep(await startPebble({ nonceReject: 0 }));
  const [first, second] = [keep(await proxyBefore(pebble)), keep(await proxyBefore(pebble))];
  const issuers = { first: issuerAt(pebble, first), second: issuerAt(pebble, second) };
  const defaults = { issuers: ['first', 'second'] };
  const site = await hostsSite({ pebble, hosts, config: { issuers, defaults, ...config } });
  return { site, first, second };
}

const listed = z.object({
  certificates: z.array(z.object({ id: z.string(), issuer: z.string().optional() })),
});

export async function issuersOf(site: AgentSite): Promise<readonly (string | undefined)[]> {
  return listed.parse(await site.json('certs', 'list')).certificates.map(({ issuer }) => issuer);
}
