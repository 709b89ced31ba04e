import { pastLadderMs } from '../backoff.ts';
import type { Instant } from '../types.ts';

export interface RoomCase {
  /** When each issuer that has no room says that it will have some. */
  readonly rooms: readonly Instant[];
  /** What is held and valid: when it expires, and from when its renewal is sent all the same, as a probe. */
  readonly held?: { readonly notAfter: Instant; readonly urgentAt: Instant } | undefined;
  /** Waits in a row, this one included. */
  readonly count: number;
  /** In [0, 1). */
  readonly random: number;
}

const minute = 60_000;
const hour = 60 * minute;

/**
 * When an order without room in the limits of its CAs is looked at again: as soon as one of them has room, or when there
 * need be none. From then on as often as the ladder would have it, for a probe may go by then, and at the latest when
 * what is held expires. Those that wait for the same bucket do not all come back for its next token.
 */
export function lookForRoomAt({ rooms, held, count, random }: RoomCase, now: Instant): Instant {
  const ahead = rooms.filter((at) => at > now);
  const room = ahead.length === 0 ? now : Math.min(...ahead);
  const spreadMs = Math.min(hour, minute * 2 ** Math.min(count, 10));
  if (held === undefined) return room + Math.floor(random * spreadMs);
  const { notAfter } = held;
  const probe = held.urgentAt > now ? held.urgentAt : now + pastLadderMs(notAfter, now);
  const at = Math.min(room, probe, notAfter);
  return at + Math.floor(random * Math.min(spreadMs, (notAfter - at) / 10));
}
