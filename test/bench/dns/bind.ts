import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startBind, type TestBind } from '../../support/bind.ts';
import { hasServer, serverProgram } from '../../support/fetch/index.ts';
import { run } from '../../support/fetch/run.ts';
import { startPebble, type TestPebble } from '../../support/pebble.ts';
import { until } from '../../support/process.ts';
import { testFolder } from '../../support/run-folder.ts';
import { quantile } from '../issuance/row.ts';
import { outcomesOf, zoneSite } from './site.ts';

const zone = 'zone.test';
const rounds = 12;
const longestMs = 300;

/** One order of apex and wildcard by DNS UPDATE, again and again, and the same by lego. True: as fast as it should be. */
export async function byBind(say: (text: string) => void): Promise<boolean> {
  const bind = await startBind({ zones: [zone] });
  const pebble = await startPebble({
    dnsServer: bind.address,
    nonceReject: 0,
    retryAfter: { authz: 0, order: 0 },
  });
  try {
    say('DNS UPDATE to BIND, one order of apex and wildcard at a time:');
    const latencies = await ours(bind, pebble);
    const p50 = quantile(latencies, 0.5);
    say(
      `  agent: p50 ${p50.toFixed(0)} ms, p95 ${quantile(latencies, 0.95).toFixed(0)} ms of ${latencies.length} orders (at most ${longestMs} ms wanted)`,
    );
    for (const line of await lego(bind, pebble)) say(`  ${line}`);
    return p50 <= longestMs;
  } finally {
    await pebble.stop();
    await bind.stop();
  }
}

async function ours(bind: TestBind, pebble: TestPebble): Promise<readonly number[]> {
  const { address: dns, tsig } = bind;
  const account = { provider: 'rfc2136', server: dns, tsig };
  const site = await zoneSite({ pebble, dns, account, domains: [zone], concurrency: 4 });
  const agent = await site.start();
  try {
    const outcomes = outcomesOf(agent);
    await until('the first is issued', () => outcomes().length >= 1);
    for (let round = 1; round <= rounds; round++) {
      await site.run('renew', zone, '--force', '--wait');
      await until('it is renewed', () => outcomes().length > round);
    }
    return outcomes()
      .slice(1)
      .flatMap((one) => (one === 'failed' ? [] : [one.ms]));
  } finally {
    await agent.stop(20_000);
  }
}

/** As it comes, and with all its waits turned off as far as it lets them. */
async function lego(bind: TestBind, pebble: TestPebble): Promise<readonly string[]> {
  if (!hasServer('lego')) return ['lego: cannot be had on this machine'];
  const program = serverProgram('lego');
  const version = (await run([program, '--version'])).trim().split('\n')[0] ?? '';
  const usual = await legoRun(program, { bind, pebble, env: {} });
  const hurried = await legoRun(program, {
    bind,
    pebble,
    env: { RFC2136_SEQUENCE_INTERVAL: '1', RFC2136_POLLING_INTERVAL: '1' },
  });
  return [
    `${version}, as it comes: ${(usual / 1000).toFixed(1)} s`,
    `${version}, with intervals of 1 s: ${(hurried / 1000).toFixed(1)} s`,
  ];
}

async function legoRun(
  program: string,
  { bind, pebble, env }: { bind: TestBind; pebble: TestPebble; env: Readonly<Record<string, string>> },
): Promise<number> {
  const path = join(testFolder('lego'), 'state');
  mkdirSync(path);
  const began = performance.now();
  await run(
    [
      program,
      ...['--accept-tos', '--email', 'bench@example.test', '--path', path],
      ...['--server', pebble.directoryUrl, '--dns', 'rfc2136', '--dns.resolvers', bind.address],
      // It would ask the nameservers at port 53, which ours is not at.
      '--dns.disable-cp',
      ...['--domains', zone, '--domains', `*.${zone}`, 'run'],
    ],
    {
      env: {
        LEGO_CA_CERTIFICATES: pebble.caFile,
        RFC2136_NAMESERVER: bind.address,
        RFC2136_TSIG_KEY: `${bind.tsig.name}.`,
        RFC2136_TSIG_ALGORITHM: 'hmac-sha256.',
        RFC2136_TSIG_SECRET: bind.tsig.secret,
        ...env,
      },
    },
  );
  return performance.now() - began;
}
