import { connect } from 'node:net';
import { Redis } from 'ioredis';

/** What a server behind a socket says of itself. */
export interface FoundServer {
  readonly pid: number;
  /** Where its files are. */
  readonly folder: string;
  readonly isLoading: boolean;
}

const answerMs = 2_000;

/** undefined: nobody answers. A server that still loads its data answers. */
export async function probeServer(socket: string): Promise<FoundServer | undefined> {
  const client = createProbe(socket);
  try {
    await client.connect();
    const [info, config] = await Promise.all([client.info(), client.config('GET', 'dir')]);
    const field = (name: string) => new RegExp(`^${name}:(.*)\\r$`, 'm').exec(info)?.[1];
    const [, folder] = config as readonly string[];
    return { pid: Number(field('process_id')), folder: folder ?? '', isLoading: field('loading') === '1' };
  } catch {
    return undefined;
  } finally {
    client.disconnect();
  }
}

/** Asks the server to end in order; a connection that breaks is its consent. */
export async function shutDown(socket: string): Promise<void> {
  const client = createProbe(socket);
  try {
    await client.connect();
    await client.call('SHUTDOWN', 'NOSAVE');
  } catch {
    // Either it ends, or the caller sees that it did not.
  } finally {
    client.disconnect();
  }
}

/** Calls `lost` once when the server closes the connection, which a server does only when it dies. */
export function watchServer(socket: string, lost: () => void): () => void {
  let isOver = false;
  const stream = connect({ path: socket });
  stream.unref();
  stream.on('error', () => {});
  stream.on('close', () => {
    if (!isOver) lost();
    isOver = true;
  });
  return () => {
    isOver = true;
    stream.destroy();
  };
}

function createProbe(socket: string): Redis {
  const client = new Redis({
    path: socket,
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: answerMs,
    commandTimeout: answerMs,
  });
  client.on('error', () => {});
  return client;
}
