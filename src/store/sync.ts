import type { Redis } from 'ioredis';
import { AgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import { isRefusal, parseInfo } from './inspect.ts';

export interface SyncNeeds {
  /** For messages. */
  readonly address: string;
  /** WAITAOF of this server answers after the sync; see `RedisFacts`. */
  readonly tellsSync: boolean;
  readonly clock: Clock;
}

/** What the server says of its log now. */
interface LogState {
  /** By the server's clock. */
  readonly atMs: number;
  /** Bytes that it answered for and has yet to write. */
  readonly unwritten: number;
  /** Syncs under way. */
  readonly syncing: number;
  readonly isWell: boolean;
}

const syncMs = 5_000;
const lookMs = 20;

/** With `appendfsync everysec`: from the start of one sync to that of the next. */
const everyMs = 1_000;

/** Resolves once all that was written on this connection is on the disk of the server; throws `store.durability`. */
export async function awaitSync(node: Redis, { address, tellsSync, clock }: SyncNeeds): Promise<void> {
  const unsafe = (reason: string, retry: 'soon' | 'blocked') =>
    new AgentError('store.durability', `Redis at ${address} ${reason}`, { retry });
  const answer = await node.call('WAITAOF', 1, 0, syncMs).catch((error: unknown) => {
    if (!isRefusal(error)) throw error;
    throw unsafe(`does not sync to disk any more: ${error.message}`, 'blocked');
  });
  const [local] = answer as readonly number[];
  const isSynced = local === 1 && (tellsSync || (await seeSync(node, clock)));
  if (!isSynced) throw unsafe(`did not sync to disk within ${syncMs} ms`, 'soon');
}

/**
 * For servers whose WAITAOF does not wait. When all is written and no sync is under way, the next one takes all of it, and
 * begins within a second: at the latest before the server answers whoever asks after that second. false: too late.
 */
async function seeSync(node: Redis, clock: Clock): Promise<boolean> {
  const until = clock.now() + syncMs;
  const see = async (isSo: (state: LogState) => boolean): Promise<LogState | undefined> => {
    for (;;) {
      const state = stateIn(await node.info('server', 'persistence'));
      if (!state.isWell || clock.now() > until) return undefined;
      if (isSo(state)) return state;
      await clock.sleep(lookMs);
    }
  };
  const written = await see(({ unwritten, syncing }) => unwritten === 0 && syncing === 0);
  if (written === undefined) return false;
  await clock.sleep(everyMs);
  const hasBegun = await see(({ atMs }) => atMs >= written.atMs + everyMs);
  if (hasBegun === undefined) return false;
  return (await see(({ syncing }) => syncing === 0)) !== undefined;
}

function stateIn(info: string): LogState {
  const fields = parseInfo(info);
  return {
    atMs: Number(fields.server_time_usec) / 1_000,
    unwritten: Number(fields.aof_buffer_length),
    syncing: Number(fields.aof_pending_bio_fsync),
    isWell: fields.aof_enabled === '1' && fields.aof_last_write_status === 'ok',
  };
}
