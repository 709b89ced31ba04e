import { fileURLToPath } from 'node:url';
import { startProcess } from '../../support/process.ts';
import type { BenchCa } from './ca.ts';
import type { ContenderJob } from './contender.ts';
import type { Measured, Result, Setting } from './row.ts';

const script = fileURLToPath(new URL('./contender.js', import.meta.url));

/** What the agent is compared with, in a process of its own. */
export function contender(kind: ContenderJob['kind']) {
  return async ({ count, concurrency }: Setting, ca: BenchCa): Promise<Result> => {
    const { directoryUrl, caFile, httpPort } = ca;
    const job: ContenderJob = { kind, directoryUrl, caFile, httpPort, names: namesOf(count), concurrency };
    const child = ca.owns(
      await startProcess({ name: kind, command: [process.execPath, script, JSON.stringify(job)] }),
    );
    let hasEnded = false;
    child.exited.then(() => {
      hasEnded = true;
    });
    const lines = () => child.output().trimEnd().split('\n');
    await ca.wait(`the ${kind} is warm`, () => hasEnded || lines()[0] === 'warm');
    const before = ca.counts();
    child.kill('SIGUSR2');
    await ca.wait(`the ${kind} ends`, () => hasEnded);
    const { code } = await child.exited;
    if (code !== 0) throw new Error(`the ${kind} ended with ${code}: ${child.output().slice(-2000)}`);
    const after = ca.counts();
    return {
      contender: kind,
      ...(JSON.parse(lines()[1] ?? '') as Measured),
      requests: after.requests - before.requests,
      connections: after.connections - before.connections,
    };
  };
}

export function namesOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `n${index}.bench.test`);
}
