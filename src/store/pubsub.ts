import type { Log } from '../core/ports.ts';
import type { RedisClient } from './redis.ts';
import { closeClient } from './redis.ts';

/** Hints between agents: quick, and now and then lost. Nothing may depend on one. */
export interface Hints {
  /** Calls `heard` for each message; the first listener opens the connection. Returns the function that stops it. */
  listen(channel: string, heard: (message: string) => void): () => void;
  close(): Promise<void>;
}

export function createHints(connect: () => RedisClient, log: Log): Hints {
  const listeners = new Map<string, Set<(message: string) => void>>();
  let client: RedisClient | undefined;

  function subscriber(): RedisClient {
    if (client !== undefined) return client;
    client = connect();
    // Also after each reconnection.
    client.on('ready', () => subscribe([...listeners.keys()]));
    client.on('message', (channel: string, message: string) => {
      for (const heard of listeners.get(channel) ?? []) heard(message);
    });
    return client;
  }

  function subscribe(channels: readonly string[]): void {
    client
      ?.subscribe(...channels)
      .catch((err: unknown) => log.warn({ channels, err }, 'hints from other agents are not heard'));
  }

  function listen(channel: string, heard: (message: string) => void): () => void {
    const known = listeners.get(channel);
    const all = known ?? new Set();
    listeners.set(channel, all.add(heard));
    if (known === undefined && subscriber().status === 'ready') subscribe([channel]);
    return () => all.delete(heard);
  }

  return {
    listen,
    close: async () => {
      if (client !== undefined) await closeClient(client);
    },
  };
}
