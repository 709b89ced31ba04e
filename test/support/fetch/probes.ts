import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launchBind } from '../bind-launch.ts';
import { launchPebble } from '../pebble-launch.ts';
import { modulesIn, rootOf } from '../powerdns-launch.ts';
import { startProcess } from '../process.ts';
import { sendToRedis } from '../resp.ts';
import { run } from './run.ts';

/** Why a program is not good enough for the tests; undefined: it is. */
export type Verdict = string | undefined;

export async function probeRedis(program: string): Promise<Verdict> {
  const [, major, minor] = /(?:v=|version )(\d+)\.(\d+)/.exec(await run([program, '--version'])) ?? [];
  if (Number(major) >= 7) return undefined;
  return `it is version ${major}.${minor}; 7.0 or newer is needed`;
}

/** Durable writes without `appendfsync always` need the command WAITAOF (Redis 7.2, any Valkey). */
export async function probeWaitAof(program: string): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), 'acme-agent-probe-'));
  const socket = join(folder, 's');
  try {
    const server = await startProcess({
      name: 'probe-valkey',
      command: [program, '--port', '0', '--unixsocket', socket, '--dir', folder, '--appendonly', 'yes'],
      ready: { socket },
    });
    const answer = await sendToRedis({ path: socket }, 'WAITAOF 1 0 1000');
    await server.stop();
    return answer.startsWith('*') ? undefined : `it does not know WAITAOF: ${answer.trim()}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Renewal information (RFC 9773) and profiles, seen in its directory: its version number says nothing. */
export async function probePebble(program: string): Promise<Verdict> {
  const pebble = await launchPebble(program, { dnsServer: '127.0.0.1:9' });
  try {
    const directory = await pebble.directory();
    const meta = directory.meta;
    const profiles = typeof meta === 'object' && meta !== null && 'profiles' in meta;
    if ('renewalInfo' in directory && profiles) return undefined;
    return 'its directory lacks renewalInfo or profiles; 2.7 or newer is needed';
  } finally {
    await pebble.stop();
  }
}

export async function probeChalltestsrv(program: string): Promise<Verdict> {
  const said = await startProcess({ name: 'probe-challtestsrv', command: [program, '-help'] });
  await said.exited;
  return said.output().includes('-dnsserver')
    ? undefined
    : 'it has no option -dnsserver; it is of an older Pebble';
}

/** Its packages are several: the SQLite backend must be there, too. */
export async function probePowerdns(program: string): Promise<Verdict> {
  modulesIn(rootOf(program));
  return probeRuns(program);
}

export function probeNsupdate(program: string): Promise<Verdict> {
  return probeRuns(program, '-V');
}

export function probeProxy(program: string): Promise<Verdict> {
  return probeRuns(program, '-v');
}

export async function probeRuns(program: string, asked = '--version'): Promise<Verdict> {
  const said = await startProcess({ name: 'probe-version', command: [program, asked] });
  const { code } = await said.exited;
  // PowerDNS tells its version and ends with 99.
  return code === 0 || code === 99 ? undefined : `it does not run: ${said.output().trim().slice(-200)}`;
}

/** Some systems confine the named of their package to its own folders; then it does not start in ours. */
export async function probeBind(program: string): Promise<Verdict> {
  const bind = await launchBind(program, { zones: ['example.test'] });
  try {
    const zone = await bind.zoneText('example.test');
    return zone.includes('127.0.0.1') ? undefined : 'it does not show its zones';
  } finally {
    await bind.stop();
  }
}
