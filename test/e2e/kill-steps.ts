import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { readRequest } from '../core/ca-signer.ts';
import { type AgentSite, agentSite } from '../support/agent.ts';
import type { TestBind } from '../support/bind.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import { type ServerProcess, until } from '../support/process.ts';
import type { TestProxy } from '../support/proxy.ts';
import type { TestRedis } from '../support/redis.ts';
import { type RedisTap, startRedisTap, type Verdict } from '../support/redis-tap.ts';
import { issuerAt, proxyBefore } from './given.ts';
import { bindAccount, recordsOf } from './zones.ts';

export const ways = ['http-01', 'dns-01'] as const;

/** The agent is killed when it is about to make its n-th write for a certificate, or when that has been carried out. */
export interface Blow {
  readonly way: (typeof ways)[number];
  readonly count: number;
  readonly when: 'before' | 'after';
}

export interface Ending extends Blow {
  /** What the write was; undefined: there are fewer, nothing was killed. */
  readonly at: string | undefined;
  /** Only this write says where the order is. */
  readonly isOrderUrl: boolean;
  /** Opened at the CA by the issuer that this order is the first at. */
  readonly accounts: number;
  readonly orders: number;
  readonly finalizes: number;
  readonly certificates: number;
  readonly tokens: number;
  readonly journal: number;
  readonly records: number;
}

/** What a blow is struck at: a certificate of a domain of its own, the first one ordered at an issuer. */
interface Target {
  readonly domain: string;
  readonly host: string;
  readonly lineage: string;
  readonly issuer: string;
}

/** An agent with a Redis prefix, a CA and a data directory of its own, which is killed again and again. */
export interface Victim {
  strike(blow: Blow): Promise<Ending>;
  stop(): Promise<void>;
}

interface Site {
  readonly prefix: string;
  readonly redis: Redis;
  readonly commands: Queue;
  readonly tap: RedisTap;
  readonly bind: TestBind;
  readonly proxy: TestProxy;
  readonly site: AgentSite;
}

const mostSteps = 40;
/** Many times what it takes: a dozen agents share the machine. */
const timeoutMs = 240_000;

/** Blows one after the other, at each step before and after it. */
export function* allBlows(): Generator<Blow> {
  for (let count = 1; count < mostSteps; count++)
    for (const when of ['before', 'after'] as const) for (const way of ways) yield { way, count, when };
}

function targetOf({ way, count, when }: Blow): Target {
  const kind = way === 'dns-01' ? 'zone' : 'hosts';
  const domain = `d${count}${when}.${kind}.test`;
  const host = `h.${domain}`;
  return { domain, host, lineage: `${domain}/${host}/ec`, issuer: `${kind}${count}${when}` };
}

/** One for each blow: an agent that runs keeps the accounts that it has opened. */
function issuersAt(pebble: TestPebble, proxy: TestProxy): object {
  const names = [...allBlows()].map((blow) => targetOf(blow).issuer);
  return Object.fromEntries(
    names.map((name) => [name, { ...issuerAt(pebble, proxy), email: `${name}@example.test` }]),
  );
}

export interface VictimOptions {
  readonly redis: TestRedis;
  /** Its `zone.test` is for DNS-01, its `hosts.test` for HTTP-01. */
  readonly bind: TestBind;
  readonly name: string;
}

export async function startVictim({ redis: server, bind, name }: VictimOptions): Promise<Victim> {
  const prefix = `{${name}}`;
  const dns = bind.address;
  const pebble = await startPebble({ dnsServer: dns, nonceReject: 0, retryAfter: { authz: 1, order: 1 } });
  const proxy = await proxyBefore(pebble);
  const tap = await startRedisTap(server);
  const redis = new Redis(server.url);
  const connection = { port: server.port, host: '127.0.0.1' };
  const commands = new Queue('commands', { connection, prefix: `${prefix}:q` });
  const site = await agentSite({}, name);
  site.configure({
    redis: { url: tap.url, prefix },
    http01: { port: pebble.httpPort, address: '127.0.0.1' },
    issuers: issuersAt(pebble, proxy),
    dnsAccounts: { zones: { nameservers: [dns], ...bindAccount(bind) } },
    resolvers: [dns],
    defaults: { mode: 'individual' },
  });
  const parts: Site = { prefix, redis, commands, tap, bind, proxy, site };
  let agent = await site.start({ timeoutMs });

  return {
    async strike(blow) {
      const target = targetOf(blow);
      const { host, domain: name, issuer } = target;
      const solver = blow.way === 'dns-01' ? { dnsAccount: 'zones' } : {};
      await send(parts, 'domains.add', { name, issuers: [issuer], challenge: blow.way, ...solver });
      await until(`${name} is there`, async () => (await redis.hexists(`${prefix}:domains`, name)) === 1);
      const seen = lieInWait(blow, target, { parts, agent });
      await send(parts, 'hosts.add', { names: [host] });
      await until(
        `${host} is issued, or its agent struck`,
        async () => seen.at !== undefined || (await isQuiet(target, parts)),
        timeoutMs,
      );
      parts.tap.watch(() => 'pass');
      const { at, isOrderUrl } = seen;
      if (at !== undefined) {
        await agent.exited;
        agent = await site.start({ timeoutMs });
        await until(`${host} is issued after ${at}`, () => isQuiet(target, parts), timeoutMs);
      }
      return { ...blow, at, isOrderUrl, ...(await whatIsLeft(target, parts)) };
    },
    async stop() {
      await agent.stop();
      await commands.close();
      redis.disconnect();
      await tap.stop();
      await proxy.stop();
      await pebble.stop();
    },
  };
}

async function send({ commands }: Site, name: string, input: object): Promise<void> {
  await commands.add(name, { v: 1, input });
}

/** Kills the agent at a write that concerns the certificate of this host, from the first time its lock is taken. */
function lieInWait(
  { count, when }: Blow,
  target: Target,
  { parts, agent }: { readonly parts: Site; readonly agent: ServerProcess },
): { readonly at: string | undefined; readonly isOrderUrl: boolean } {
  const seen: { at: string | undefined; isOrderUrl: boolean } = { at: undefined, isOrderUrl: false };
  let writes = 0;
  let urls = 0;
  parts.tap.watch((command): Verdict => {
    const step = stepOf(command, target, parts.prefix);
    if (step === undefined || (writes === 0 && !step.includes('lock'))) return 'pass';
    const namesOrder = command.some((part) => part.includes('/my-order/'));
    if (namesOrder) urls++;
    if (++writes < count) return 'pass';
    Object.assign(seen, { at: step, isOrderUrl: namesOrder && urls === 1 });
    if (when === 'after') return { done: () => process.kill(agent.pid, 'SIGKILL') };
    process.kill(agent.pid, 'SIGKILL');
    return 'withhold';
  });
  return seen;
}

/** What a command writes of a certificate under way, or of its account, by the kinds of its keys; undefined: none of those. */
function stepOf(command: readonly Buffer[], { lineage, issuer }: Target, prefix: string): string | undefined {
  const [name = '', ...args] = command.map((part) => part.toString('latin1'));
  const verb = name.toLowerCase();
  const isScript = verb === 'evalsha' || verb === 'eval';
  if (!isScript && !['set', 'del', 'hset', 'hdel', 'zadd', 'zrem'].includes(verb)) return undefined;
  const keys = isScript ? args.slice(2, 2 + Number(args[1])) : args.slice(0, 1);
  const kinds = new Set(
    keys.flatMap((key) =>
      key.startsWith(`${prefix}:`) ? [key.slice(prefix.length + 1).split(':', 1)[0]] : [],
    ),
  );
  // A value or a token is that of the only order there is.
  if (kinds.has('token') || kinds.has('journal')) return [verb, ...kinds].join(' ');
  if (kinds.has('accounts')) return args.includes(issuer) ? [verb, ...kinds].join(' ') : undefined;
  const isOwnLock = keys.some((key) => key.startsWith(`${prefix}:lock:issue:`) && key.endsWith(lineage));
  // Prolonged now and then, as time passes: no step.
  const isBeat = isOwnLock && isScript && keys.length === 1 && !args.slice(3).includes(`issue:${lineage}`);
  const isCommit = kinds.has('meta') && ['issuances', 'renewals', 'lineage'].some((kind) => kinds.has(kind));
  const isAbout = args.some((one) => one.includes(lineage));
  return (isOwnLock && !isBeat && !kinds.has('meta')) || (isCommit && isAbout)
    ? [verb, ...kinds].join(' ')
    : undefined;
}

async function isQuiet({ lineage }: Target, { redis, prefix }: Site): Promise<boolean> {
  // A dozen look at once, for as long as locks take to run out.
  await new Promise((resolve) => setTimeout(resolve, 150));
  const [current, open, locked, due] = await Promise.all([
    redis.hget(`${prefix}:lineage:${lineage}`, 'c'),
    redis.hexists(`${prefix}:issuances`, lineage),
    redis.exists(`${prefix}:lock:issue:${lineage}`),
    redis.zscore(`${prefix}:due`, `issue:${lineage}`),
  ]);
  return current !== null && open + locked === 0 && Number(due) > Date.now();
}

async function whatIsLeft(
  { host, lineage, issuer }: Target,
  { redis, prefix, proxy, bind }: Site,
): Promise<Omit<Ending, keyof Blow | 'at' | 'isOrderUrl'>> {
  const journal = async () => redis.hlen(`${prefix}:journal`);
  const tokens = async () => (await redis.keys(`${prefix}:token:*`)).length;
  await until('the clean-up is over', async () => (await journal()) + (await tokens()) === 0, 30_000).catch(
    () => undefined,
  );
  const taken = proxy.calls.filter(({ status }) => status === undefined || status < 300);
  const isFor = (payload: unknown) => JSON.stringify(payload).includes(`"${host}"`);
  const isBy = (payload: unknown) => JSON.stringify(payload).includes(`mailto:${issuer}@`);
  return {
    // A key that the CA knows already is answered with 200.
    accounts: taken.filter(
      ({ kind, status, payload }) => kind === 'newAccount' && status === 201 && isBy(payload),
    ).length,
    orders: taken.filter(({ kind, payload }) => kind === 'newOrder' && isFor(payload)).length,
    finalizes: taken.filter(({ kind, payload }) => kind === 'finalize' && isFor(namesOf(payload))).length,
    certificates: Number(await redis.hget(`${prefix}:lineage:${lineage}`, 'c')),
    tokens: await tokens(),
    journal: await journal(),
    records: (await recordsOf(bind, 'zone.test')).filter((line) => line.includes(`.${host} `)).length,
  };
}

function namesOf(payload: unknown): readonly string[] {
  return readRequest(Buffer.from(String((payload as { csr?: string }).csr), 'base64url')).names;
}
