import type { Clock } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';

const capacity = 50;
/** CAs forget nonces; an old one only costs a rejected request. */
const lifetimeMs = 5 * 60 * 1000;

/** Unused nonces of one CA (RFC 8555 §6.5), fed by every answer. */
export interface Nonces {
  add(nonce: string): void;
  /** The freshest; undefined when there is none. */
  take(): string | undefined;
}

export function createNonces(clock: Clock): Nonces {
  let held: { readonly nonce: string; readonly at: Instant }[] = [];
  return {
    add(nonce) {
      held.push({ nonce, at: clock.now() });
      if (held.length > capacity) held.shift();
    },
    take() {
      const freshest = held.pop();
      if (freshest && clock.now() - freshest.at <= lifetimeMs) return freshest.nonce;
      held = [];
      return undefined;
    },
  };
}
