import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { systemClock } from '../../src/clock.ts';
import type { ErrorCode } from '../../src/core/errors.ts';
import type { HttpResponse } from '../../src/core/http.ts';
import type { Clock } from '../../src/core/ports.ts';
import type { Domain } from '../../src/core/types.ts';
import type { PluginContext } from '../../src/plugin/context.ts';
import { defineDeployTarget } from '../../src/plugin/define.ts';
import { generateKey } from '../../src/x509/key.ts';
import { createFilesTarget } from '../deploy/fixture.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { testFolder } from '../support/run-folder.ts';
import { failing } from './gate.ts';
import { day, hour } from './given.ts';
import * as dns from './why-dns.ts';
import type { WiredWorld } from './wired-world.ts';

/** How a host comes to meet an error, and what `why` says of it. */
export interface Case {
  /** Of the domain of www.example.com. */
  readonly wish?: Partial<Domain> | undefined;
  readonly provoke: (world: WiredWorld) => Promise<void> | void;
  /** In its sentence. */
  readonly says: string;
  /** It is the deployment that fails. */
  readonly isDeployment?: boolean | undefined;
  /** Until the next attempt; default: a minute, or a day for what only a person can mend. */
  readonly next?: string | undefined;
}

const always = Number.POSITIVE_INFINITY;
const byDns: Partial<Domain> = { challenge: 'dns-01', dnsAccount: 'zone' };

/** Those that no part of the world around us brings about, so that a port is made to throw them; and why. */
export const replaced: Readonly<Partial<Record<ErrorCode, string>>> = {
  bug: 'nobody knows of one',
};

/** Every code of the table: how a host meets it, or why none can. */
export const cases: Readonly<Record<ErrorCode, Case | string>> = {
  'config.invalid': {
    wish: { ...byDns, dnsAccount: 'gone' },
    provoke: dns.atCloudflare(),
    says: 'there is no DNS account "gone"',
  },
  'config.unreadable':
    'files and programs that the file names; providers and targets have codes of their own',
  'config.unwritable': 'folders of the agent, at start and for backups',
  'config.plugin': 'at start and reload: the configuration with it is refused as a whole',
  'config.port': 'at start and reload',
  'config.conflict': 'an agent that differs takes no work',
  'command.invalid': 'of a command, to whom sent it',
  'command.unknown': 'of a command, to whom sent it',
  'command.conflict': 'of a command, to whom sent it',
  'command.notFound': 'of a command, to whom sent it',

  'acme.network': {
    provoke: ({ wire }) => void wire.first.cut('newOrder', 'before', always),
    says: 'first',
  },
  'acme.badNonce': refused('badNonce', 'that nonce was used before'),
  'acme.server': {
    provoke: ({ wire }) =>
      answers(wire.first, 500, { type: 'serverInternal', detail: 'the database is away' }),
    says: 'first: the database is away',
  },
  'acme.rateLimited': {
    provoke: ({ wire }) =>
      void wire.first.status('newOrder', () => ({
        ...page(429, { type: 'rateLimited', detail: 'too many new orders recently' }),
        headers: { 'retry-after': '7200' },
      })),
    says: 'first: too many new orders recently',
    next: '(in 2 hours)',
  },
  'acme.paused': {
    provoke: ({ wire }) =>
      answers(wire.first, 429, { type: 'rateLimited', detail: 'paused; go to https://ca.test/unpause' }),
    says: 'first: paused; go to https://ca.test/unpause',
    next: '(in 7 days)',
  },
  'acme.account': refused('accountDoesNotExist', 'there is no such account', 'newAccount'),
  'acme.externalAccount': refused('externalAccountRequired', 'customers only', 'newAccount'),
  'acme.userAction': refused('userActionRequired', 'agree to https://ca.test/terms'),
  'acme.malformed': refused('malformed', 'the request makes no sense'),
  'acme.response': {
    provoke: ({ wire }) =>
      void wire.first.status('newOrder', () => ({ code: 201, body: '<h1>Welcome</h1>', nonce: true })),
    says: 'first',
  },

  'order.rejectedIdentifier': refused('rejectedIdentifier', 'www.example.com is on our list'),
  'order.profile': {
    wish: { profile: { name: 'shortlived', required: true } },
    provoke: () => {},
    says: 'first has no profile "shortlived"; it offers none',
  },
  'order.alreadyReplaced': refused('alreadyReplaced', 'another order replaces it'),
  'order.expired': {
    provoke: ({ first }) => {
      first.ways.validationMs = 2 * hour;
      first.ways.orderLife = { ms: hour / 2, end: 'invalid' };
    },
    says: 'first',
  },
  'order.invalid': refused('somethingNew', 'a reason that nobody knows yet'),
  'order.certificate': {
    provoke: ({ wire }) => void wire.first.rewrite('cert', () => ({ text: 'not a certificate' }), always),
    says: 'certificate',
  },
  'order.noChallenge': {
    provoke: ({ first }) => {
      first.ways.challengeTypes = ['dns-01'];
    },
    says: 'first does not offer http-01 for www.example.com; it offers dns-01',
  },
  'order.issuer': {
    wish: { issuers: ['gone'] },
    provoke: () => {},
    says: 'no issuer "gone" is configured',
  },

  'challenge.connection': judged('connection', 'nobody answers on port 80'),
  'challenge.dns': judged('dns', 'no address for www.example.com'),
  'challenge.tls': judged('tls', 'the handshake failed'),
  'challenge.unauthorized': judged('unauthorized', 'somebody else answered'),
  'challenge.incorrectResponse': judged('incorrectResponse', 'that is not what was asked'),
  'challenge.caa': judged('caa', 'CAA of example.com forbids it'),
  'challenge.timeout': {
    provoke: ({ first }) => {
      first.ways.validationMs = 3 * day;
    },
    says: 'the CA has not finished validating after',
  },

  'dns.zoneNotFound': solved(dns.strangeZone, '_acme-challenge.www.example.com'),
  'dns.cname': solved(dns.cnameLoop, '_acme-challenge.www.example.com'),
  'dns.propagation': solved(dns.atCloudflare({ publishDelayMs: 3_600_000 }), 'does not show its TXT record'),
  'dns.query': solved(dns.deadResolver, 'DNS'),

  'provider.auth': solved(dns.atCloudflare({}, { apiToken: 'another-token' }), 'Invalid access token [9109]'),
  'provider.forbidden': solved(
    dns.atCloudflare({}, { spoil: (vendor) => vendor.deny(true) }),
    'Authentication error [10000]',
  ),
  'provider.throttled': solved(
    dns.atCloudflare({ limit: { perSecond: 0.001, burst: 1 } }),
    'Please wait and consider throttling',
    // The engine has a say in it, by a clock of its own that is ahead.
    '(in ',
  ),
  'provider.conflict': solved(dns.busyZone, 'another action of the zone is running'),
  'provider.invalid': solved(dns.atCloudflare({ minTtl: 3600 }), 'the TTL 60 is below 3600 [9005]'),
  'provider.unavailable': solved(dns.atCloudflare({}, { spoil: (vendor) => vendor.shake(1) }), '502'),

  'net.failed': pluginTarget(
    ({ http }) => http.request('http://127.0.0.1:1/certificates'),
    'http://127.0.0.1:1 is not reached',
  ),
  'net.refused': pluginTarget(
    ({ http }) => http.requestUntrusted('http://10.0.0.1/certificates'),
    '10.0.0.1 is a private or link-local address',
  ),

  'store.unavailable': 'nothing is remembered or shown while the store is away; the job comes again',
  'store.lost': 'the agent takes no work',
  'store.schema': 'at start',
  'store.record': 'the job of what it is about is logged, and comes again',
  'store.masterKey': 'at start',
  'store.durability': 'at start',
  'store.eviction': 'at start',
  'store.fenced': 'another worker goes on with the same lineage',
  'store.conflict': {
    provoke: (world) => {
      world.gate.always('first.respond', async (proceed) => {
        await rolledElsewhere(world);
        return proceed();
      });
      const refusal = page(400, { type: 'unauthorized', detail: 'JWS verification error' });
      world.wire.first.status('chall', () => refusal);
    },
    says: 'the account at first got another key in the middle of an order',
  },
  'store.running': 'at start',
  'store.notRunning': 'of the command line',
  'store.noServer': 'at start',
  'store.inUse': 'of restore',
  'store.notEmpty': 'of restore',
  'store.backup': 'of restore',

  'deploy.target': {
    provoke: async (world) => {
      const folder = testFolder('why');
      writeFileSync(join(folder, 'taken'), 'a file where a folder should be');
      await useFiles(world, { path: join(folder, 'taken') });
    },
    says: 'taken',
    isDeployment: true,
  },
  'deploy.reload': {
    provoke: (world) => useFiles(world, { path: testFolder('why'), reload: ['false'] }),
    says: '"false"',
    next: 'seconds)',
    isDeployment: true,
  },
  'deploy.mismatch': {
    provoke: (world) => {
      const path = testFolder('why');
      return useFiles(world, { path, reload: ['rm', '-f', join(path, 'example.com', 'www.example.com')] });
    },
    says: 'what was just written there is gone',
    next: 'seconds)',
    isDeployment: true,
  },

  'notify.failed': 'of a notifier; the log and "check" tell',
  'notify.rejected': 'of a notifier; the log and "check" tell',

  bug: {
    provoke: ({ gate }) => gate.always('first.newOrder', failing(new TypeError('x is undefined'))),
    says: 'unexpected: x is undefined',
  },
};

function page(code: number, { type, detail }: { type: string; detail: string }) {
  return { code, nonce: true, body: { type: `urn:ietf:params:acme:error:${type}`, detail } };
}

function answers(
  proxy: WiredWorld['wire']['first'],
  code: number,
  problem: { type: string; detail: string },
  kind: 'newOrder' | 'newAccount' = 'newOrder',
): void {
  proxy.status(kind, () => page(code, problem));
}

function refused(type: string, detail: string, kind: 'newOrder' | 'newAccount' = 'newOrder'): Case {
  return { provoke: ({ wire }) => answers(wire.first, 400, { type, detail }, kind), says: detail };
}

/** The CA's verdict on the name. */
function judged(type: string, detail: string): Case {
  return {
    provoke: ({ first }) => {
      first.ways.verdict = () => ({ type, detail });
    },
    says: `at first: www.example.com: ${detail}`,
  };
}

export function solved(provoke: Case['provoke'], says: string, next?: string): Case {
  return { wish: byDns, provoke, says, next };
}

/** A target as somebody else may write it, which gets what plugins get; our own targets say in their own code what fails. */
function pluginTarget(place: (context: PluginContext) => Promise<HttpResponse>, says: string): Case {
  const definition = defineDeployTarget({
    name: 'plugin',
    title: 'A plugin',
    options: z.strictObject({}),
    create: (_options, context) => ({
      name: context.name,
      deploy: async () => ({ observed: (await place(context)).text() }),
      observe: async () => undefined,
    }),
  });
  return {
    provoke: async ({ web }) => {
      const target = await definition.create({}, createPluginContext('web', scaled(systemClock)));
      Object.assign(web.deployer, { deploy: target.deploy });
    },
    says,
    isDeployment: true,
  };
}

/** Another agent on the store has given the account another key, which the CA goes by from then on. */
async function rolledElsewhere({ store }: WiredWorld): Promise<void> {
  const record = await store.accounts.get('first');
  if (record === undefined) throw new Error('there is no account');
  await store.accounts.put({ ...record, key: await generateKey('p256') });
}

async function useFiles(
  { web, clock }: WiredWorld,
  options: Parameters<typeof createFilesTarget>[0],
): Promise<void> {
  if (!existsSync(options.path)) throw new Error(`${options.path} is missing`);
  const { deploy } = await createFilesTarget(options, { clock });
  Object.assign(web.deployer, { deploy });
}

function scaled(clock: Clock): Clock {
  return { ...clock, sleep: (ms, signal) => clock.sleep(ms / 100, signal) };
}
