import type { Socket } from 'node:net';
import type { Clock } from '../core/ports.ts';
import { type HelloReading, readClientHello } from './client-hello.ts';

/** No client says more before the server speaks; a longer one is nobody that we answer. */
const longestHello = 16_384;

export type FirstBytes = Exclude<HelloReading, { readonly is: 'more' }>;

/**
 * What the client of a new connection wants, by its first bytes; they stay in the socket, which is paused, for whoever
 * goes on with it. undefined: it closed, or said too little within `ms`.
 */
export function firstBytes(
  socket: Socket,
  { clock, ms }: { readonly clock: Clock; readonly ms: number },
): Promise<FirstBytes | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let held = 0;
    let atLeast = 0;
    const cancel = clock.after(ms, () => done(undefined));
    const ended = () => done(undefined);

    function done(reading: FirstBytes | undefined): void {
      cancel();
      socket.pause();
      socket.off('data', take).off('end', ended).off('close', ended);
      if (reading !== undefined) socket.unshift(Buffer.concat(chunks));
      resolve(reading);
    }

    function take(chunk: Buffer): void {
      chunks.push(chunk);
      held += chunk.length;
      if (held < atLeast) return;
      const reading = readClientHello(Buffer.concat(chunks));
      if (reading.is !== 'more') done(reading);
      else if (held >= longestHello || reading.atLeast > longestHello) done({ is: 'foreign' });
      else atLeast = reading.atLeast;
    }

    socket.on('data', take).on('end', ended).on('close', ended);
  });
}
