import { randomBytes } from 'node:crypto';
import { link, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Instant } from '../core/types.ts';
import { type Access, createFile, ensureDirectory } from './access.ts';
import { guarded, isSystemError, readIfThere } from './fault.ts';
import { parseGeneration } from './slot-path.ts';

/** One run of the reload of a target, as it stands on disk. */
export interface Round {
  /** Counts up from 1; 0: there was none yet. */
  readonly number: number;
  readonly startedAt: Instant;
  /** When whoever runs it must have ended it; later than that without an outcome, it died. */
  readonly until: Instant;
  /** Absent: under way, or it died. */
  readonly outcome?: { readonly ok: true } | { readonly ok: false; readonly message: string } | undefined;
  /** The newest round that ended well, this one included; 0: none. */
  readonly lastGood: number;
}

const none = { number: 0, startedAt: 0, until: 0, lastGood: 0 };

const record = z.object({
  startedAt: z.number(),
  until: z.number(),
  outcome: z
    .union([z.object({ ok: z.literal(true) }), z.object({ ok: z.literal(false), message: z.string() })])
    .optional(),
  lastGood: z.number(),
});

/**
 * The reloads of one target, one small file a round in a folder of the target's root. They are on disk because what they
 * are about is: the files there and the programs of this machine that read them. So they count for every agent and every
 * configuration that works on this root, and for whoever comes after a kill.
 */
export interface Rounds {
  latest(): Promise<Round>;
  /** Takes the number after `before`; undefined when somebody else took it. The taker runs the reload, then says how it ended. */
  start(
    before: Round,
    plan: { readonly startedAt: Instant; readonly until: Instant; readonly access: Access },
  ): Promise<Round | undefined>;
  end(round: Round, access: Access): Promise<void>;
}

export function createRounds(root: string, target: string): Rounds {
  const parent = join(root, '.reloads');
  const folder = join(parent, target);

  async function latest(): Promise<Round> {
    for (;;) {
      const number = Math.max(0, ...(await namesIn(folder)).flatMap((name) => parseGeneration(name) ?? []));
      if (number === 0) return none;
      const text = await readIfThere(join(folder, String(number)));
      // Gone meanwhile: there is a newer one.
      if (text !== undefined) return { ...none, ...parse(text), number };
    }
  }

  const start: Rounds['start'] = async (before, { startedAt, until, access }) => {
    for (const directory of [parent, folder]) await ensureDirectory(directory, access);
    const round = { number: before.number + 1, startedAt, until, lastGood: before.lastGood };
    const draft = await write(round, access);
    const path = join(folder, String(round.number));
    // A link appears with its whole content, and only if the name is free.
    const isMine = await guarded(path, () => link(draft, path).then(() => true, unlessOvertaken));
    await rm(draft, { force: true });
    if (!isMine) return undefined;
    await sweep(round.number);
    return round;
  };

  async function end(round: Round, access: Access): Promise<void> {
    const draft = await write(round, access);
    const path = join(folder, String(round.number));
    await guarded(path, () => rename(draft, path).catch(unlessOvertaken));
  }

  async function write({ number, ...facts }: Round, access: Access): Promise<string> {
    const draft = join(folder, `${number}.${randomBytes(6).toString('hex')}`);
    await createFile(draft, JSON.stringify(facts), access);
    return draft;
  }

  /** Earlier rounds, and drafts of theirs that a crash left. */
  async function sweep(number: number): Promise<void> {
    const old = (await namesIn(folder)).filter((name) => Number.parseInt(name, 10) < number);
    await Promise.all(old.map((name) => rm(join(folder, name), { force: true })));
  }

  return { latest, start, end };
}

/** What a power failure left of a file says nothing: then there is a round of which nobody knows anything. */
function parse(text: string): Partial<Round> {
  try {
    return record.safeParse(JSON.parse(text)).data ?? {};
  } catch {
    return {};
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return guarded(folder, () =>
    readdir(folder).catch((error: unknown) => {
      if (isSystemError(error, 'ENOENT')) return [];
      throw error;
    }),
  );
}

/** The number is taken, or so old that its taker swept our draft away. */
function unlessOvertaken(error: unknown): false {
  if (isSystemError(error, 'EEXIST', 'ENOENT')) return false;
  throw error;
}
