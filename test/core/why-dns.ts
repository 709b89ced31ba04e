import { route53 as definition } from '../../providers/route53.ts';
import { createDns01Solver } from '../../src/challenge/dns01.ts';
import { systemClock } from '../../src/clock.ts';
import { AgentError, type ErrorCode } from '../../src/core/errors.ts';
import type { Clock, Solver } from '../../src/core/ports.ts';
import { createDns, type Dns } from '../../src/dns/index.ts';
import { createStage, never } from '../dns/stage.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { freePort } from '../support/ports.ts';
import { startRoute53 } from '../support/route53.ts';
import type { WiredWorld } from './wired-world.ts';

/** What the DNS engine waits takes a hundredth of the time. */
const fast: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 100, signal) };
const owner = '_acme-challenge.example.test';

type Provoke = (world: WiredWorld) => Promise<void>;

export const missingAccount: Provoke = async (world) => {
  const stage = await createStage();
  meets(world, await outcome(stage.agent({ clock: fast }), { dnsAccount: 'gone' }));
};

export const strangeZone: Provoke = async (world) => {
  const stage = await createStage({ zones: { test: [] } });
  meets(world, await outcome(stage.agent({ clock: fast }), { name: 'stranger.test' }));
};

export const cnameLoop: Provoke = async (world) => {
  const loop = { name: owner, type: 'CNAME', ttl: 60, values: [owner] } as const;
  const stage = await createStage({ zones: { 'example.test': [loop] } });
  meets(world, await outcome(stage.agent({ clock: fast })));
};

export const slowServers: Provoke = async (world) => {
  const propagation = { signal: 'authoritative', typicalMs: 10, timeoutMs: 100 } as const;
  const stage = await createStage({ publishDelayMs: 60_000, traits: { propagation } });
  meets(world, await outcome(stage.agent({ clock: fast })));
};

export const deadResolver: Provoke = async (world) => {
  const stage = await createStage();
  const accounts = [{ name: 'main', provider: stage.vendor.provider, zones: [], nameservers: [] }];
  const resolvers = [`127.0.0.1:${await freePort()}`];
  const dns = createDns({ accounts, resolvers, doh: [] }, { ...stage.memory, clock: fast, log: stage.log });
  meets(world, await outcome(dns));
  await dns.close();
};

/** Route 53 answers every call so. */
export function route53(status: number, code: string): Provoke {
  return async (world) => {
    const emulator = await startRoute53({ zones: [{ name: 'example.test' }] });
    for (const operation of ['list', 'change'] as const)
      emulator.inject({ operation, status, code, message: `about ${code}`, times: 1000 });
    const options = definition.options.parse({
      endpoint: emulator.endpoint,
      accessKeyId: emulator.accessKeyId,
      secretAccessKey: 'a secret access key',
    });
    const provider = await definition.create(options, createPluginContext('aws', fast));
    const stage = await createStage();
    const dns = stage.agent({ clock: fast, account: { provider } });
    meets(world, await outcome(dns));
    await dns.close();
    await emulator.stop();
  };
}

/** A vendor that takes no change, however often it is asked. */
export function vendor(code: ErrorCode): Provoke {
  return async (world) => {
    const stage = await createStage();
    for (let call = 0; call < 20; call++) stage.vendor.faults.push(new AgentError(code, 'not that often'));
    meets(world, await outcome(stage.agent({ clock: fast })));
  };
}

interface Asked {
  readonly name?: string | undefined;
  readonly dnsAccount?: string | undefined;
}

/** What the solver of dns-01 says in the end. */
async function outcome(
  dns: Dns,
  { name = 'example.test', dnsAccount = 'main' }: Asked = {},
): Promise<unknown> {
  const solver = createDns01Solver(dns, { clock: fast });
  const challenge = {
    lineage: 'example.test/example.test/ec',
    domain: 'example.test',
    identifier: { type: 'dns', value: name },
    wildcard: false,
    token: 'token',
    keyAuthorization: 'token.thumbprint',
    accountUrl: 'https://ca.test/account/1',
    dnsAccount,
    expiresAt: Date.now() + 3_600_000,
  } as const;
  try {
    const [id = ''] = await solver.present([challenge], never);
    for (;;) {
      const ready = await solver.ready(id, never);
      if (ready === true) break;
      await fast.sleep(Math.max(0, ready.checkAgainAt - Date.now()));
    }
  } catch (error) {
    return error;
  }
  throw new Error('the DNS engine had no trouble');
}

/** The world's own zone has the same trouble from now on. */
function meets({ zone }: WiredWorld, error: unknown): void {
  const present: Solver['present'] = async () => {
    throw error;
  };
  Object.assign(zone.solver, { present });
}
