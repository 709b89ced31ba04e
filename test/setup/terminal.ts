import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { runPart } from '../support/run-folder.ts';

const streams = [process.stdout, process.stderr];
let isShown = true;

/** Keeps what this process writes to the terminal, its own and what comes from its test processes, for the search for secrets. */
export function recordTerminal(): void {
  const file = join(runPart('terminal'), `${process.pid}`);
  for (const stream of streams) {
    const write = stream.write.bind(stream);
    stream.write = (chunk: string | Uint8Array, ...rest: readonly unknown[]): boolean => {
      appendFileSync(file, chunk, { mode: 0o600 });
      return !isShown || Reflect.apply(write, stream, [chunk, ...rest]);
    };
  }
}

/** Goes the way of all that is written there, but for the last step. */
export function writeUnseen(texts: readonly string[]): void {
  isShown = false;
  for (const stream of streams) stream.write(`${texts.join('\n')}\n`);
  isShown = true;
}
