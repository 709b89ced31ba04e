import { startPebble } from '../../support/pebble.ts';
import { freePort } from '../../support/ports.ts';
import { type ServerProcess, until } from '../../support/process.ts';
import { openGate } from './gate.ts';

export interface BenchCa {
  readonly directoryUrl: string;
  readonly caFile: string;
  /** Where it fetches HTTP-01 answers. */
  readonly httpPort: number;
  /** So far. */
  counts(): { readonly requests: number; readonly connections: number };
  /** Waits for `done`; throws `standstill` when the CA answers nothing any more. */
  wait(what: string, done: () => boolean): Promise<void>;
  /** Ended with the CA at the latest. */
  owns<T extends ServerProcess>(server: T): T;
}

/** Pebble now and then locks itself up under load, and then answers nothing but its directory and nonces. */
const standstill = new Error('the CA stands still');
const standstillMs = 20_000;
const attempts = 4;

/** Runs a measurement with a CA of its own; once more with another one when that locked itself up. */
export async function withCa<T>(
  nonceReject: number,
  say: (text: string) => void,
  measure: (ca: BenchCa) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await once(nonceReject, measure);
    } catch (error) {
      if (error !== standstill || attempt === attempts) throw error;
      say('(Pebble locked itself up; this row is measured again with a new one)');
    }
  }
}

async function once<T>(nonceReject: number, measure: (ca: BenchCa) => Promise<T>): Promise<T> {
  const httpPort = await freePort();
  const pebble = await startPebble({
    nonceReject,
    httpPort,
    authzReuse: 0,
    // No Retry-After: the latency of the client shall be seen, not the CA's wish.
    retryAfter: { authz: 0, order: 0 },
  });
  const { port, pathname } = new URL(pebble.directoryUrl);
  const gate = await openGate(Number(port));
  const owned: ServerProcess[] = [];
  try {
    return await measure({
      directoryUrl: `https://127.0.0.1:${gate.port}${pathname}`,
      caFile: pebble.caFile,
      httpPort,
      counts: () => ({
        requests: pebble.output().match(/(?:GET|HEAD|POST) \/\S* -> calling handler/g)?.length ?? 0,
        connections: gate.connections(),
      }),
      wait: async (what, done) => {
        const start = performance.now();
        const silentMs = () => Math.min(gate.silentMs(), performance.now() - start);
        await until(what, () => done() || silentMs() > standstillMs, 900_000);
        if (!done()) throw standstill;
      },
      owns: (server) => {
        owned.push(server);
        return server;
      },
    });
  } finally {
    await Promise.all(owned.map((server) => server.stop(20_000)));
    await gate.close();
    await pebble.stop();
  }
}
