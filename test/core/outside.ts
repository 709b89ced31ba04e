import { AgentError } from '../../src/core/errors.ts';
import type { Clock, Deployer, Notice, Notifier, Solver } from '../../src/core/ports.ts';
import type { Bundle, Instant, LineageId } from '../../src/core/types.ts';

/** A deploy target in memory. */
export interface Target {
  readonly deployer: Deployer;
  /** What it shows of a lineage. */
  shows(lineage: LineageId): Bundle | undefined;
  /** Every deployment since the start, oldest first. */
  readonly history: readonly Bundle[];
}

export function createTarget(name: string): Target {
  const slots = new Map<LineageId, Bundle>();
  const history: Bundle[] = [];
  return {
    history,
    shows: (lineage) => slots.get(lineage),
    deployer: {
      name,
      deploy: async ({ bundle, slot }) => {
        slots.set(slot.lineage, bundle);
        history.push(bundle);
        return { observed: bundle.certificate.fingerprint };
      },
      observe: async (slot) => slots.get(slot.lineage)?.certificate.fingerprint,
      remove: async (slot) => void slots.delete(slot.lineage),
    },
  };
}

export interface Message {
  readonly at: Instant;
  readonly recipient: string | undefined;
  readonly notices: readonly Notice[];
}

/** A notifier in memory, with what it took. */
export interface Mailbox {
  readonly notifier: Notifier;
  readonly messages: readonly Message[];
}

export function createMailbox(name: string, digest: boolean, clock: Clock): Mailbox {
  const messages: Message[] = [];
  const notifier: Notifier = {
    name,
    digest,
    send: async (notices, recipient) => void messages.push({ at: clock.now(), recipient, notices }),
  };
  return { notifier, messages };
}

/** A zone in memory, whose records show after a while. */
export interface Zone {
  readonly solver: Solver;
  /** Tokens that are in the zone. */
  readonly records: ReadonlyMap<string, string>;
  /** From presenting a record until the CA would see it. */
  slowMs: number;
}

export function createZone(clock: Clock): Zone {
  const records = new Map<string, string>();
  const since = new Map<string, Instant>();
  const zone: Zone = {
    records,
    slowMs: 0,
    solver: {
      type: 'dns-01',
      present: async (challenges) =>
        challenges.map(({ token, keyAuthorization }) => {
          if (!records.has(token)) since.set(token, clock.now());
          records.set(token, keyAuthorization);
          return token;
        }),
      ready: async (id) => {
        if (!records.has(id)) throw new AgentError('dns.propagation', `${id} is not in the zone any more`);
        const checkAgainAt = (since.get(id) ?? 0) + zone.slowMs;
        return clock.now() >= checkAgainAt ? true : { checkAgainAt };
      },
      cleanUp: async (ids) => {
        for (const id of ids) records.delete(id);
      },
    },
  };
  return zone;
}
