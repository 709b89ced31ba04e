/**
 * One process of a contender: warms up, says `warm`, and at SIGUSR2 issues its certificates and prints what it cost as
 * JSON.
 */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import acme from 'acme-client';
import { systemClock } from '../../../src/clock.ts';
import { createQuiet, pollPause, type Quiet } from '../../../src/core/wait.ts';
import { createPki } from '../../../src/x509/index.ts';
import { type BareClient, openBareClient } from './bare-client.ts';
import type { Measured } from './row.ts';

export interface ContenderJob {
  readonly kind: 'loop' | 'naive';
  readonly directoryUrl: string;
  readonly caFile: string;
  readonly httpPort: number;
  readonly names: readonly string[];
  readonly concurrency: number;
}

type Issue = (name: string) => Promise<void>;

const job = JSON.parse(process.argv[2] ?? '{}') as ContenderJob;
const answers = new Map<string, string>();
const listeners = new Map<string, () => void>();
const responder = createServer((request, response) => {
  const token = request.url?.split('/').at(-1) ?? '';
  response.end(answers.get(token) ?? '');
  listeners.get(token)?.();
});
await new Promise<void>((resolve) => responder.listen(job.httpPort, '127.0.0.1', resolve));
const issue = job.kind === 'loop' ? await loop(job) : await naive(job);
// As warm as an agent that has issued before: code compiled, as many connections open as it needs.
await Promise.all(Array.from({ length: job.concurrency }, (_, index) => issue(`warm-up${index}.test`)));
const told = once(process, 'SIGUSR2');
process.stdout.write('warm\n');
await told;
process.stdout.write(`${JSON.stringify(await measure(issue, job))}\n`);
process.exit(0);

async function measure(run: Issue, { names, concurrency }: ContenderJob): Promise<Measured> {
  const latencies: number[] = [];
  const queue = [...names];
  let lost = 0;
  const cpu = process.cpuUsage();
  const start = performance.now();
  const worker = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const from = performance.now();
      await run(name).then(
        () => latencies.push(performance.now() - from),
        () => lost++,
      );
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, cpuMs: (user + system) / 1000, latencies, lost };
}

/** The protocol's calls with the agent's polling rule, its key, CSR and chain code, and nothing around them. */
async function loop({ directoryUrl, caFile }: ContenderJob): Promise<Issue> {
  const client = await openBareClient(directoryUrl, readFileSync(caFile, 'utf8'));
  const pki = createPki();
  return async (name) => {
    const made = await client.post(client.directory.newOrder ?? '', {
      identifiers: [{ type: 'dns', value: name }],
    });
    const order = JSON.parse(made.text) as Order;
    const authz = JSON.parse((await client.post(order.authorizations[0] ?? '', '')).text) as Authz;
    const challenge = authz.challenges.find(({ type }) => type === 'http-01');
    if (authz.status === 'pending' && challenge !== undefined) {
      answers.set(challenge.token, client.keyAuthorization(challenge.token));
      const quiet = quietAfter(challenge.token);
      await client.post(challenge.url, undefined);
      await settle(client, made.location ?? '', quiet);
      quiet.stop();
      answers.delete(challenge.token);
    }
    const privateKey = await pki.generateKey('p256');
    const csr = Buffer.from(pki.createCsr([name], privateKey)).toString('base64url');
    let state = JSON.parse((await client.post(order.finalize, { csr })).text) as Order;
    for (let poll = 0; state.status !== 'valid'; poll++) {
      if (state.status === 'invalid') throw new Error('invalid');
      await systemClock.sleep(pollPause(poll, undefined, 20));
      state = JSON.parse((await client.post(made.location ?? '', '')).text) as Order;
    }
    const pem = (await client.post(state.certificate ?? '', '')).text;
    pki.readIssued(pem, { names: [name], privateKey, now: systemClock.now() });
  };
}

interface Order {
  readonly status: string;
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string;
}

interface Authz {
  readonly status: string;
  readonly challenges: readonly { type: string; url: string; token: string }[];
}

function quietAfter(token: string): Quiet {
  return createQuiet(systemClock, (seen) => {
    listeners.set(token, seen);
    return () => listeners.delete(token);
  });
}

async function settle(client: BareClient, orderUrl: string, quiet: Quiet): Promise<void> {
  const { signal } = new AbortController();
  for (let poll = 0; ; poll++) {
    await quiet.sleep(pollPause(poll, undefined, 1000), signal);
    const { status } = JSON.parse((await client.post(orderUrl, '')).text) as Order;
    if (status === 'ready' || status === 'valid') return;
    if (status === 'invalid') throw new Error('invalid');
  }
}

/** acme-client as its README shows it, but with an elliptic key and short polls. */
async function naive({ directoryUrl, caFile }: ContenderJob): Promise<Issue> {
  acme.axios.defaults.httpsAgent = new (await import('node:https')).Agent({
    keepAlive: true,
    ca: readFileSync(caFile),
  });
  const client = new acme.Client({
    directoryUrl,
    accountKey: await acme.crypto.createPrivateEcdsaKey(),
    backoffMin: 50,
    backoffMax: 1000,
    backoffAttempts: 200,
  });
  await client.createAccount({ termsOfServiceAgreed: true });
  return async (name) => {
    const [, csr] = await acme.crypto.createCsr(
      { altNames: [name] },
      await acme.crypto.createPrivateEcdsaKey(),
    );
    await client.auto({
      csr,
      termsOfServiceAgreed: true,
      skipChallengeVerification: true,
      challengePriority: ['http-01'],
      challengeCreateFn: async (_authz, challenge, keyAuthorization) => {
        answers.set(challenge.token, keyAuthorization);
      },
      challengeRemoveFn: async (_authz, challenge) => {
        answers.delete(challenge.token);
      },
    });
  };
}
