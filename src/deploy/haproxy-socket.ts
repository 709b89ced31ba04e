import { connect } from 'node:net';
import { AgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';

/** Its stats socket: a path, or a port of this machine. */
export type RuntimeAddress = { readonly path: string } | { readonly host: string; readonly port: number };

/** One command, one connection; the answer, whole. */
export type Talk = (command: string, signal: AbortSignal) => Promise<string>;

const timeoutMs = 15_000;
const longestAnswer = 16 * 1024 * 1024;

/** HAProxy closes the connection when it has answered. Rejects with `deploy.target`, on abort with the signal's reason. */
export function createTalk(address: RuntimeAddress, clock: Clock): Talk {
  const where = 'path' in address ? address.path : `${address.host}:${address.port}`;
  const fault = (sentence: string, cause?: unknown) =>
    new AgentError('deploy.target', `HAProxy at ${where} ${sentence}`, {
      cause,
      advice:
        'Check that HAProxy runs, and that its "stats socket" is where the target says, with "level admin".',
    });

  return (command, signal) => {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const socket = connect(address);
      const chunks: Buffer[] = [];
      let size = 0;
      const finish = (settle: () => void) => {
        cancel();
        signal.removeEventListener('abort', abort);
        socket.destroy();
        settle();
      };
      const fail = (error: unknown) => finish(() => reject(error));
      const abort = () => fail(signal.reason);
      const cancel = clock.after(timeoutMs, () => fail(fault(`did not answer within ${timeoutMs / 1000} s`)));
      signal.addEventListener('abort', abort, { once: true });
      let broken: Error | undefined;
      socket.on('error', (error) => {
        broken = error;
      });
      socket.on('data', (chunk) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > longestAnswer) fail(fault(`answered with more than ${longestAnswer} bytes`));
      });
      // Every answer ends with an empty line; without one it was cut. How the connection ends after it says nothing.
      socket.on('close', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        if (text.endsWith('\n\n')) finish(() => resolve(text.trim()));
        else if (broken !== undefined) fail(fault(`is not reached: ${broken.message}`, broken));
        else fail(fault('closed the connection before it had answered'));
      });
      socket.write(`${command}\n`);
    });
  };
}
