import { readFileSync } from 'node:fs';
import { agentSite, main } from '../../support/agent.ts';
import { type ServerProcess, startProcess } from '../../support/process.ts';
import type { BenchCa } from './ca.ts';
import { namesOf } from './contenders.ts';
import type { Result, Setting } from './row.ts';
import { createTail } from './tail.ts';

/** A forced renewal of all: hosts, keys and account are there, as they are at the thousandth certificate. */
export async function agent(setting: Setting, ca: BenchCa): Promise<Result> {
  const { count } = setting;
  const site = await agentSite({}, 'bench');
  site.configure(configOf(setting, ca));
  const server = ca.owns(await site.start());
  const outcomes = watchOutcomes(server);
  await ca.wait('the first certificates are there', () => outcomes().length >= count);
  const known = outcomes().length;
  const before = { cpuMs: cpuMsOf(server.pid), ...ca.counts() };
  const command = [process.execPath, main, '--config', site.configFile, 'renew-all', '--force', '--wait'];
  const renewal = ca.owns(await startProcess({ name: 'renew-all', command }));
  await ca.wait('all are renewed', () => outcomes().length >= known + count);
  await renewal.exited;
  const cpuMs = cpuMsOf(server.pid) - before.cpuMs;
  const after = ca.counts();
  const issued = outcomes()
    .slice(known)
    .filter((outcome) => outcome !== 'failed');
  const from = Math.min(...issued.map(({ at, ms }) => at - ms));
  return {
    contender: 'agent',
    seconds: (Math.max(...issued.map(({ at }) => at)) - from) / 1000,
    cpuMs,
    latencies: issued.map(({ ms }) => ms),
    lost: outcomes().length - known - issued.length,
    requests: after.requests - before.requests,
    connections: after.connections - before.connections,
  };
}

function configOf({ count, concurrency }: Setting, { directoryUrl, caFile, httpPort }: BenchCa): object {
  return {
    log: { level: 'info' },
    http01: { port: httpPort, address: '127.0.0.1' },
    issuers: {
      pebble: { directory: directoryUrl, trust: caFile, email: 'bench@example.test', agreeToTerms: true },
    },
    concurrency: { issuance: concurrency },
    domains: [{ name: 'bench.test', mode: 'individual', challenge: 'http-01', hosts: namesOf(count) }],
  };
}

type Outcome = 'failed' | { readonly at: number; readonly ms: number };

/** Of every attempt so far, from the agent's log: when its certificate was stored, and how long after its beginning. */
function watchOutcomes(server: ServerProcess): () => readonly Outcome[] {
  const tail = createTail(server);
  const outcomes: Outcome[] = [];
  return () => {
    for (const line of tail()) {
      if (line.includes('"msg":"certificate not issued"')) outcomes.push('failed');
      if (!line.includes('"msg":"certificate issued"')) continue;
      const { time, ms } = JSON.parse(line) as { time: string; ms: number };
      outcomes.push({ at: Date.parse(time), ms });
    }
    return outcomes;
  };
}

/** User and system time of a process; a clock tick is 10 ms on Linux. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
