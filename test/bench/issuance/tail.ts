import type { ServerProcess } from '../../support/process.ts';

/**
 * Whole lines that a process has written since the last look. What it wrote before is not read again: a benchmark that
 * does so every few milliseconds measures itself.
 */
export function createTail(server: ServerProcess): () => readonly string[] {
  let position = 0;
  return () => {
    const text = server.output(position);
    const end = text.lastIndexOf('\n') + 1;
    position += Buffer.byteLength(text.slice(0, end));
    return text.slice(0, end).split('\n').slice(0, -1);
  };
}
