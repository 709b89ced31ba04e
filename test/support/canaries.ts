import { createPrivateKey, randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { watchSecrets } from '../../src/core/secret.ts';
import { runFolder, runPart } from './run-folder.ts';
import { shortestSecret } from './secret-search.ts';

const registered = new Set<string>();
/** Calls of `unregistered` under way. */
let within = 0;

/** A random password, token or key text for a test; from now on it must not be found anywhere. */
export function canary(): string {
  const value = `canary-${randomBytes(18).toString('base64url')}`;
  registerSecret(value);
  return value;
}

/** For what is wrapped as a secret and is none to search for: its keys are registered, or it is made up by the million. */
export function unregistered<T>(work: () => T): T {
  watchSecrets(undefined);
  within++;
  try {
    return work();
  } finally {
    within--;
    if (within === 0) watchSecrets(registerSecret);
  }
}

/** Puts a value onto the list of what the end of the run searches for. What is neither text nor bytes is ignored. */
export function registerSecret(value: unknown): void {
  // Programs are told of folders as they are told of secrets, by their environment.
  if (typeof value === 'string' && value.startsWith(`${runFolder()}/`)) return;
  for (const bytes of bytesOf(value)) {
    const line = bytes.toString('base64');
    if (bytes.length < shortestSecret || registered.has(line)) continue;
    registered.add(line);
    appendFileSync(join(runPart('secrets'), `${process.pid}`), `${line} ${origin()}\n`, { mode: 0o600 });
  }
}

/** Who made the secret, for the message when it is found: the first caller outside of this file and `secret.ts`. */
function origin(): string {
  const { stackTraceLimit } = Error;
  // What a file says is read deep within a library.
  Error.stackTraceLimit = 50;
  const frames = (new Error().stack ?? '').split('\n').slice(1);
  Error.stackTraceLimit = stackTraceLimit;
  const caller = frames.find((frame) => !/canaries|core\/secret|node_modules/.test(frame));
  return caller?.trim().replace(/^at /, '') ?? 'unknown';
}

/** A private key is also looked for by its numbers alone: another encoding of it does not hide it. */
function bytesOf(value: unknown): Buffer[] {
  if (typeof value === 'string') return [Buffer.from(value)];
  if (!(value instanceof Uint8Array)) return [];
  const whole = Buffer.from(value);
  // Its numbers are registered with it, and reading a key takes long.
  if (registered.has(whole.toString('base64'))) return [];
  try {
    const key = createPrivateKey({ key: whole, format: 'der', type: 'pkcs8' });
    // What cannot be written is a damaged key, whose numbers Node does not survive being asked for.
    key.export({ format: 'der', type: 'pkcs8' });
    const { d, p, q } = key.export({ format: 'jwk' });
    const numbers = [d, p, q].flatMap((part) => (part === undefined ? [] : Buffer.from(part, 'base64url')));
    return [whole, ...numbers];
  } catch {
    return [whole];
  }
}
