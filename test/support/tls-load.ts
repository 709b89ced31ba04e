import { fingerprintOf, handshake } from './handshake.ts';

export interface TlsLoad {
  /** Handshakes that got through so far. */
  readonly done: () => number;
  /** Those that did not, in words. */
  readonly failures: readonly string[];
  /** Fingerprints in the order in which they were first seen. */
  readonly seen: readonly string[];
  /** Resolves when some handshake, begun after the call, was shown this certificate. */
  untilShown(fingerprint: string): Promise<void>;
  stop(): Promise<void>;
}

/** New connections one after the other, so many at once, each a full handshake. */
export function startTlsLoad(
  at: { readonly port: number; readonly servername: string },
  width: number,
): TlsLoad {
  const failures: string[] = [];
  const seen: string[] = [];
  const waiting = new Map<string, () => void>();
  let done = 0;
  let stopped = false;

  async function client(): Promise<void> {
    while (!stopped) {
      try {
        const shown = fingerprintOf(await handshake(at));
        done += 1;
        if (!seen.includes(shown)) seen.push(shown);
        waiting.get(shown)?.();
      } catch (error) {
        failures.push(String(error));
      }
    }
  }

  const clients = Array.from({ length: width }, client);
  return {
    done: () => done,
    failures,
    seen,
    untilShown: (fingerprint) => new Promise((resolve) => waiting.set(fingerprint, resolve)),
    async stop() {
      stopped = true;
      await Promise.all(clients);
    },
  };
}
