import type { Clock, Log } from '../core/ports.ts';
import type { Crypt } from './crypt.ts';
import type { Tolerate } from './damage.ts';
import type { Keys } from './keys.ts';
import type { Link } from './redis.ts';

/** What every part of the store works with. */
export interface Base {
  readonly link: Link;
  readonly keys: Keys;
  readonly crypt: Crypt;
  readonly storeId: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly tolerate: Tolerate;
}
