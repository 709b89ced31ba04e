/**
 * `npm run bench -- issuance`: one agent process against one process of a bare loop of the same ACME calls, and against
 * acme-client as its documentation shows it, in one run on one machine. Ratios count; absolute numbers are this machine's.
 */

import { execFile } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { agentSite } from '../support/agent.ts';
import { startPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/process.ts';
import { runFolder } from '../support/run-folder.ts';
import type { ContenderJob, ContenderResult } from './contender.ts';
import { openGate } from './gate.ts';

interface Row extends ContenderResult {
  readonly contender: string;
  readonly concurrency: number;
  readonly nonceReject: number;
  readonly count: number;
  readonly requests: number;
  readonly connections: number;
}

interface Setting {
  readonly concurrency: number;
  readonly count: number;
  readonly nonceReject: number;
}

const quick = process.argv.includes('--quick');
const scale = quick ? 0.25 : 1;
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

say(
  `Node ${process.version}, ${availableParallelism()} cores; fsync of 4 KiB here: ${fsyncMs().toFixed(2)} ms (median)`,
);
say('durability of the agent: as shipped (appendfsync always)\n');
say(head());
for (const setting of settings) {
  const rows = [await contender('loop', setting), await agent(setting)];
  if (setting.nonceReject === 0)
    rows.push(await contender('naive', { ...setting, count: Math.ceil(setting.count / 4) }));
  for (const row of rows) say(line(row, rows[0]));
}

async function contender(kind: ContenderJob['kind'], setting: Setting): Promise<Row> {
  return withCa(setting, async ({ directoryUrl, caFile, httpPort, counts }) => {
    const job: ContenderJob = {
      kind,
      directoryUrl,
      caFile,
      httpPort,
      names: namesOf(setting.count),
      concurrency: setting.concurrency,
    };
    const script = fileURLToPath(new URL('./contender.js', import.meta.url));
    const result = await new Promise<ContenderResult>((resolve, reject) => {
      execFile(process.execPath, [script, JSON.stringify(job)], { maxBuffer: 1 << 26 }, (error, stdout) =>
        error === null ? resolve(JSON.parse(stdout) as ContenderResult) : reject(error),
      );
    });
    return { contender: kind, ...setting, ...result, ...counts() };
  });
}

/** A forced renewal of all: hosts, keys and account are there, as they are at the thousandth certificate. */
async function agent(setting: Setting): Promise<Row> {
  return withCa(setting, async ({ directoryUrl, caFile, httpPort, counts }) => {
    const site = await agentSite({}, 'bench');
    site.configure({
      log: { level: 'info' },
      http01: { port: httpPort, address: '127.0.0.1' },
      issuers: {
        pebble: { directory: directoryUrl, trust: caFile, email: 'bench@example.test', agreeToTerms: true },
      },
      concurrency: { issuance: setting.concurrency },
      domains: [
        { name: 'bench.test', mode: 'individual', challenge: 'http-01', hosts: namesOf(setting.count) },
      ],
    });
    const process_ = await site.start();
    const done = () => issuedIn(process_.output());
    await until('the first certificates are there', () => done().length >= setting.count, 600_000);
    const skip = done().length;
    const before = { cpu: cpuMsOf(process_.pid), ...counts() };
    const renewal = site.run('renew-all', '--force', '--wait');
    await until('all are renewed', () => done().length >= skip + setting.count, 600_000);
    await renewal;
    const cpuMs = cpuMsOf(process_.pid) - before.cpu;
    const after = counts();
    await process_.stop(20_000);
    const renewed = done().slice(skip);
    const from = Math.min(...renewed.map(({ at, ms }) => at - ms));
    return {
      contender: 'agent',
      ...setting,
      seconds: (Math.max(...renewed.map(({ at }) => at)) - from) / 1000,
      cpuMs,
      latencies: renewed.map(({ ms }) => ms),
      lost: setting.count - renewed.length,
      requests: after.requests - before.requests,
      connections: after.connections - before.connections,
    };
  });
}

interface Ca {
  readonly directoryUrl: string;
  readonly caFile: string;
  readonly httpPort: number;
  readonly counts: () => { readonly requests: number; readonly connections: number };
}

async function withCa(setting: Setting, run: (ca: Ca) => Promise<Row>): Promise<Row> {
  const httpPort = await freePort();
  const pebble = await startPebble({
    nonceReject: setting.nonceReject,
    httpPort,
    authzReuse: 0,
    // No Retry-After: the latency of the client shall be seen, not the CA's wish.
    retryAfter: { authz: 0, order: 0 },
  });
  const { port, pathname } = new URL(pebble.directoryUrl);
  const gate = await openGate(Number(port));
  const requests = () => pebble.output().match(/(?:GET|HEAD|POST) \/\S* -> calling handler/g)?.length ?? 0;
  try {
    return await run({
      directoryUrl: `https://127.0.0.1:${gate.port}${pathname}`,
      caFile: pebble.caFile,
      httpPort,
      counts: () => ({ requests: requests(), connections: gate.connections() }),
    });
  } finally {
    await gate.close();
    await pebble.stop();
  }
}

function namesOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `n${index}.bench.test`);
}

/** When each certificate was stored, and how long after the start of its issuance, from the agent's log. */
function issuedIn(output: string): readonly { readonly at: number; readonly ms: number }[] {
  const lines = output.matchAll(/"time":"([^"]+)"[^\n]*"ms":(\d+)[^\n]*"msg":"certificate issued"/g);
  return [...lines].map(([, time = '', ms]) => ({ at: Date.parse(time), ms: Number(ms) }));
}

/** User and system time of a process; a clock tick is 10 ms on Linux. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function fsyncMs(): number {
  const file = join(runFolder(), 'fsync');
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

function quantile(values: readonly number[], q: number): number {
  return (
    values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN
  );
}

function head(): string {
  return [
    'contender',
    'conc',
    'reject',
    'certs',
    'certs/s',
    'of loop',
    'p50 ms',
    'p95 ms',
    'CPU ms',
    'requests',
    'connections',
    'lost',
  ]
    .map(pad)
    .join('');
}

function line(row: Row, loop: Row | undefined): string {
  const perSecond = (one: Row) => one.latencies.length / one.seconds;
  const cells = [
    row.contender,
    row.concurrency,
    `${row.nonceReject} %`,
    row.latencies.length,
    perSecond(row).toFixed(1),
    loop === undefined ? '' : (perSecond(row) / perSecond(loop)).toFixed(2),
    quantile(row.latencies, 0.5).toFixed(0),
    quantile(row.latencies, 0.95).toFixed(0),
    (row.cpuMs / row.latencies.length).toFixed(1),
    (row.requests / row.latencies.length).toFixed(2),
    (row.connections / row.latencies.length).toFixed(2),
    row.lost,
  ];
  return cells.map(pad).join('');
}

function pad(cell: string | number): string {
  return String(cell).padEnd(12);
}
