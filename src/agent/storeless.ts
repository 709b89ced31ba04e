import { AgentError } from '../core/errors.ts';
import type { Ports } from '../core/ports.ts';

/** Ports for checks while no store can be reached: nothing is known, nothing can be written, nothing is limited. */
export function createStoreless(): Pick<
  Ports,
  'accounts' | 'locks' | 'buckets' | 'journal' | 'tokens' | 'tlsAnswers'
> {
  const refuse = () =>
    Promise.reject(new AgentError('store.notRunning', 'nothing can be written: there is no store'));
  const lock = async (name: string) => ({
    lock: name,
    number: 0,
    signal: new AbortController().signal,
    release: async () => {},
  });
  return {
    accounts: { get: async () => undefined, put: refuse },
    locks: { tryAcquire: lock, acquire: lock },
    buckets: {
      take: async (_, now) => ({ taken: true, readyAt: now, lacking: [] }),
      giveBack: async () => {},
      drain: async () => {},
      fill: async () => {},
      levels: async (buckets, now) => buckets.map(({ capacity }) => ({ tokens: capacity, readyAt: now })),
    },
    journal: {
      intend: refuse,
      update: refuse,
      get: async () => undefined,
      forget: refuse,
      sharing: async () => [],
      all: async () => [],
    },
    tlsAnswers: { put: refuse, of: async () => [], remove: refuse },
    tokens: {
      put: refuse,
      get: async () => undefined,
      remove: refuse,
      announceFetched: () => {},
      onFetched: () => () => {},
      trial: () => ({ token: 'acme-agent-trial', keyAuthorization: '' }),
    },
  };
}
