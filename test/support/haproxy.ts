import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serverProgram } from './fetch/index.ts';
import { freePort } from './ports.ts';
import { accepts, type ServerProcess, startProcess } from './process.ts';
import { testFolder } from './run-folder.ts';
import { createAuthority } from './tls.ts';

export interface TestHaproxy {
  /** Of its TLS listener. */
  readonly port: number;
  /** Its stats socket. */
  readonly socket: string;
  /** Folder that its bind line names. */
  readonly certs: string;
  /** undefined: the bind line names the folder. */
  readonly crtList: string | undefined;
  /** PEM of what it shows to those whom it has nothing for. */
  readonly defaultPem: string;
  readonly process: ServerProcess;
  /** Another one on the same files. */
  restart(): Promise<TestHaproxy>;
  stop(): Promise<void>;
}

export interface HaproxyOptions {
  readonly listed?: boolean | undefined;
  /** A crt-list file that somebody else made. */
  readonly list?: string | undefined;
  /** Its master process reloads it at SIGUSR2. */
  readonly master?: boolean | undefined;
  /** Of the socket; default `admin`. */
  readonly level?: string | undefined;
}

/** A HAProxy that answers 200 to everybody over TLS. */
export async function startHaproxy(options: HaproxyOptions = {}): Promise<TestHaproxy> {
  const folder = testFolder('haproxy');
  const certs = join(folder, 'certs');
  mkdirSync(certs, { mode: 0o700 });
  const { certificatePem, privateKeyPem } = createAuthority().issue(['default.test']);
  writeFileSync(join(folder, 'default.pem'), privateKeyPem + certificatePem, { mode: 0o600 });
  const own = options.listed ? join(certs, 'list') : undefined;
  if (own !== undefined) writeFileSync(own, '', { mode: 0o600 });
  const { list: crtList = own, level = 'admin', master = false } = options;
  return launch({ folder, certs, crtList, defaultPem: certificatePem, level, master });
}

interface Launch extends Pick<TestHaproxy, 'certs' | 'crtList' | 'defaultPem'> {
  readonly folder: string;
  readonly level: string;
  readonly master: boolean;
}

async function launch(plan: Launch): Promise<TestHaproxy> {
  const port = await freePort();
  const socket = join(plan.folder, 'stats');
  const file = join(plan.folder, 'haproxy.cfg');
  const certificates = plan.crtList === undefined ? `crt ${plan.certs}` : `crt-list ${plan.crtList}`;
  writeFileSync(
    file,
    `global
  stats socket ${socket} mode 600 level ${plan.level}${plan.master ? ' expose-fd listeners' : ''}
  nbthread 1
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 60s
frontend web
  bind 127.0.0.1:${port} ssl crt ${join(plan.folder, 'default.pem')} ${certificates}
  http-request return status 200
`,
    { mode: 0o600 },
  );
  const process = await startProcess({
    name: 'haproxy',
    command: [serverProgram('haproxy'), ...(plan.master ? ['-W'] : []), '-db', '-f', file],
    ready: async () => (await accepts({ port })) && (await accepts({ socket })),
  });
  const { certs, crtList, defaultPem } = plan;
  const stop = async () => void (await process.stop());
  const restart = async () => {
    await stop();
    return launch(plan);
  };
  return { port, socket, certs, crtList, defaultPem, process, restart, stop };
}
