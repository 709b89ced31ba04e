import { createHash } from 'node:crypto';
import { Command } from 'ioredis';
import type { RedisClient } from './redis.ts';

export interface Script {
  readonly lua: string;
  readonly sha: string;
}

export type Argument = string | number | Buffer;

export interface ScriptInput {
  readonly keys: readonly string[];
  readonly args: readonly Argument[];
}

export function defineScript(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

/** Runs it by its hash, and sends its text only to a server that does not know it (yet, or any more). */
export async function runScript(
  client: RedisClient,
  script: Script,
  { keys, args }: ScriptInput,
): Promise<unknown> {
  try {
    return await client.evalsha(script.sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!isUnknownScript(error)) throw error;
    return client.eval(script.lua, keys.length, ...keys, ...args);
  }
}

/** As runScript, with every string of the answer as a Buffer. */
export async function runBinaryScript(
  client: RedisClient,
  script: Script,
  { keys, args }: ScriptInput,
): Promise<unknown> {
  const send = (name: string, text: string) => {
    // The driver's own binary call loses its command name when pipelined automatically.
    const command = new Command(name, [text, keys.length, ...keys, ...args], { replyEncoding: null });
    client.sendCommand(command);
    return command.promise;
  };
  try {
    return await send('evalsha', script.sha);
  } catch (error) {
    if (!isUnknownScript(error)) throw error;
    return send('eval', script.lua);
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
