/**
 * `npm run bench -- issuance [--quick] [--only=CONCURRENCY,REJECT]`: one agent process against one process of a bare loop
 * of the same ACME calls, and against acme-client as its documentation shows it, in one run on one machine. Ratios
 * count; absolute numbers are this machine's. Ends with 1 when the agent lost a certificate.
 */

import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { openRun } from '../support/run-folder.ts';
import { agent } from './issuance/agent.ts';
import { type BenchCa, withCa } from './issuance/ca.ts';
import { contender } from './issuance/contenders.ts';
import { head, line, quantile, type Result, type Row, type Setting } from './issuance/row.ts';

const scale = process.argv.includes('--quick') ? 0.25 : 1;
const only = process.argv.find((arg) => arg.startsWith('--only='))?.slice(7);

const settings: readonly Setting[] = [
  { concurrency: 1, count: 60, nonceReject: 0 },
  { concurrency: 16, count: 320, nonceReject: 0 },
  { concurrency: 64, count: 640, nonceReject: 0 },
  { concurrency: 16, count: 320, nonceReject: 5 },
  { concurrency: 16, count: 160, nonceReject: 50 },
]
  .filter(({ concurrency, nonceReject }) => only === undefined || only === `${concurrency},${nonceReject}`)
  .map((setting) => ({ ...setting, count: Math.ceil(setting.count * scale) }));

const say = (text: string) => process.stdout.write(`${text}\n`);

const folder = openRun();
say(
  `Node ${process.version}, ${availableParallelism()} cores, fsync of 4 KiB here ${fsyncMs().toFixed(2)} ms (median)`,
);
say('durability of the agent: as shipped (appendfsync always); CPU: of the Node process alone\n');
say(head());
for (const setting of settings) {
  const loop = await measured(setting, contender('loop'));
  say(line(loop, loop));
  const ours = await measured(setting, agent);
  say(line(ours, loop));
  if (ours.lost > 0) process.exitCode = 1;
  if (setting.nonceReject > 0) continue;
  const fewer = { ...setting, count: Math.ceil(setting.count / 4) };
  say(line(await measured(fewer, contender('naive')), loop));
}

function measured(
  setting: Setting,
  measure: (setting: Setting, ca: BenchCa) => Promise<Result>,
): Promise<Row> {
  return withCa(setting.nonceReject, say, async (ca) => ({ ...setting, ...(await measure(setting, ca)) }));
}

function fsyncMs(): number {
  const file = join(folder, 'fsync');
  const fd = openSync(file, 'w');
  const times = Array.from({ length: 50 }, () => {
    const start = performance.now();
    writeSync(fd, Buffer.alloc(4096));
    fdatasyncSync(fd);
    return performance.now() - start;
  });
  closeSync(fd);
  rmSync(file);
  return quantile(times, 0.5);
}
