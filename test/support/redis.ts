import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { serverProgram } from './fetch/index.ts';
import { freePort } from './ports.ts';
import { type Exit, type ServerProcess, startProcess } from './process.ts';
import { sendToRedis } from './resp.ts';
import { testFolder } from './run-folder.ts';
import { createAuthority } from './tls.ts';

export interface RedisOptions {
  /** Further arguments; they come after our own, so the last word is theirs. No secret here: see `config`. */
  readonly args?: readonly string[] | undefined;
  /** Lines of its configuration file. */
  readonly config?: readonly string[] | undefined;
  /** TLS only; the authority is at `caFile`. */
  readonly tls?: boolean | undefined;
  /** Path of an ACL file. */
  readonly aclFile?: string | undefined;
  /** Who `url` and `cli` log in as. */
  readonly user?: { readonly name: string; readonly password: string } | undefined;
  /** Valkey instead of Redis: it has WAITAOF. */
  readonly valkey?: boolean | undefined;
  /** Also on a unix socket. */
  readonly socket?: boolean | undefined;
  /** As a Sentinel; `config` says what it watches. */
  readonly sentinel?: boolean | undefined;
}

export interface TestRedis {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly socketPath?: string | undefined;
  readonly caFile?: string | undefined;
  readonly ca?: string | undefined;
  /** Where its append-only file is. */
  readonly folder: string;
  output(): string;
  /** Orderly stop and start with the same data and port. */
  restart(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<Exit>;
  /** Starts it again after a kill. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** One command on a connection of its own; rejects with the server's error. */
  cli(...command: readonly string[]): Promise<unknown>;
}

/**
 * A server of its own on loopback, every write on disk before it is answered. Its files stay until the end of the run,
 * when they are searched for secrets, and are removed then.
 */
export async function startRedis(options: RedisOptions = {}): Promise<TestRedis> {
  const port = await freePort();
  const folder = testFolder(options.valkey ? 'valkey' : 'redis');
  const socketPath = options.socket ? join(folder, 'redis.sock') : undefined;
  const tls = options.tls ? writeTlsFiles(folder) : undefined;
  const configFile = join(folder, 'redis.conf');
  writeFileSync(configFile, `${(options.config ?? []).join('\n')}\n`, { mode: 0o600 });
  const program = serverProgram(options.valkey ? 'valkey-server' : 'redis-server');
  const login =
    options.user === undefined ? '' : `${options.user.name}:${encodeURIComponent(options.user.password)}@`;
  const url = `${tls ? 'rediss' : 'redis'}://${login}127.0.0.1:${port}`;

  const launch = () =>
    startProcess({
      name: options.valkey ? 'valkey' : options.sentinel ? 'sentinel' : 'redis',
      command: [
        program,
        configFile,
        ...(options.sentinel ? ['--sentinel'] : []),
        ...['--bind', '127.0.0.1', '--dir', folder, '--daemonize', 'no', '--loglevel', 'notice'],
        ...(tls ? ['--port', '0', '--tls-port', String(port), ...tls.args] : ['--port', String(port)]),
        ...(socketPath ? ['--unixsocket', socketPath] : []),
        ...(options.aclFile ? ['--aclfile', options.aclFile] : []),
        // Uncompressed snapshots, so that the search for secrets sees what is in them.
        ...(options.sentinel ? [] : ['--rdbcompression', 'no', '--save', '']),
        ...(options.sentinel ? [] : ['--appendonly', 'yes', '--appendfsync', 'always']),
        ...(options.args ?? []),
      ],
      ready: async () => {
        const answer = await sendToRedis({ port, tls: options.tls }, 'PING');
        return answer.startsWith('+PONG') || answer.startsWith('-NOAUTH') || answer.startsWith('-NOPERM');
      },
    });

  let server: ServerProcess = await launch();
  const stop = async () => {
    await saveIfNeeded(options, cli);
    await server.stop(10_000);
  };
  const start = async () => {
    server = await launch();
  };
  const cli = async (...command: readonly string[]) => {
    const client = new Redis(url, {
      lazyConnect: true,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
      ...(tls ? { tls: { ca: tls.ca } } : {}),
    });
    // Without a listener the client prints connection errors; the call below rejects with them anyway.
    client.on('error', () => {});
    try {
      await client.connect();
      const [name = '', ...args] = command;
      return await client.call(name, ...args);
    } finally {
      client.disconnect();
    }
  };
  return {
    url,
    port,
    socketPath,
    folder,
    caFile: tls?.caFile,
    ca: tls?.ca,
    get pid() {
      return server.pid;
    },
    output: () => server.output(),
    restart: async () => {
      await stop();
      await start();
    },
    kill: (signal) => server.kill(signal),
    start,
    stop,
    cli,
  };
}

/** A server without an append-only file leaves nothing to search for secrets unless it is told to write a snapshot. */
async function saveIfNeeded(options: RedisOptions, cli: TestRedis['cli']): Promise<void> {
  const args = options.args ?? [];
  const off = args[args.lastIndexOf('--appendonly') + 1] === 'no';
  if (off && !options.sentinel) await cli('SAVE').catch(() => undefined);
}

function writeTlsFiles(folder: string): { caFile: string; ca: string; args: readonly string[] } {
  const authority = createAuthority();
  const { certificatePem, privateKeyPem } = authority.issue(['localhost', '127.0.0.1']);
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const caFile = write('ca.pem', authority.certificatePem);
  const args = [
    ...[
      '--tls-cert-file',
      write('tls.pem', certificatePem),
      '--tls-key-file',
      write('tls.key', privateKeyPem),
    ],
    ...[
      '--tls-ca-cert-file',
      caFile,
      '--tls-auth-clients',
      'no',
      '--tls-replication',
      'yes',
      '--tls-cluster',
      'yes',
    ],
  ];
  return { caFile, ca: readFileSync(caFile, 'utf8'), args };
}
