import type { DnsExamination, Trial, TrialSight } from './dns-care.ts';
import { type AgentError, toAgentError } from './errors.ts';
import type { Ports } from './ports.ts';
import type { TaskItem } from './types.ts';
import { type Again, longestInProcessMs } from './wait.ts';

/** Name of the errand that goes on with a trial. */
export const doctorErrand = 'dns-doctor';

type TrialNeeds = Pick<Ports, 'dnsCare' | 'tasks' | 'clock'>;

/** A worker is not held up any longer; then the errand comes back. */
const inProcessMs = 9000;
/** Slower zones are of no use to a CA that waits for an hour. */
const longestMs = 600_000;

const write = 'write';
const remove = 'remove';
const seenAt = 'seen at ';
const takenAway = 'the record was taken away meanwhile';

/** Items of the task that are settled by writing a record there. */
export function trialItems({ place, servers }: DnsExamination): readonly TaskItem[] {
  if (place === undefined) return [];
  const ids = [write, ...servers.map((server) => `${seenAt}${server}`), remove];
  if (!place.isByHand) return ids.map((id) => ({ id, state: 'waiting' }));
  return [{ id: write, state: 'skipped', note: 'a person writes there; nothing was tried' }];
}

/** Argument of the errand; the task is the key. */
export function trialArgument({ key, name, account }: Trial): string {
  return [key, name, account].join('/');
}

export function parseTrial(argument: string): Trial {
  const [key = '', name = '', ...account] = argument.split('/');
  return { key, name, account: account.join('/') };
}

/**
 * Writes a record without meaning, times how long each nameserver takes to show it, and takes it away again. All that is
 * known of it stands in the task and in the journal, so that any run goes on where another one ended.
 */
export async function goOnWithTrial(
  trial: Trial,
  needs: TrialNeeds,
  signal: AbortSignal,
): Promise<Again | undefined> {
  const { clock, tasks } = needs;
  const until = clock.now() + inProcessMs;
  for (;;) {
    const task = await tasks.get(trial.key);
    const open = (task?.items ?? []).filter(({ state }) => state === 'waiting').map(({ id }) => id);
    const step = [write, seenAt, remove].find((one) => open.some((id) => id.startsWith(one)));
    if (step === undefined) return undefined;
    const pauseMs = await take(step, { trial, open }, needs, signal);
    if (pauseMs === undefined) continue;
    if (clock.now() + pauseMs > until) return { again: clock.now() + pauseMs };
    await clock.sleep(pauseMs, signal);
  }
}

interface Step {
  readonly trial: Trial;
  /** Items that wait. */
  readonly open: readonly string[];
}

/** Resolves with a pause if there is nothing new. */
async function take(
  step: string,
  { trial, open }: Step,
  needs: TrialNeeds,
  signal: AbortSignal,
): Promise<number | undefined> {
  const settle = (id: string, state: TaskItem['state'], note: string) =>
    needs.tasks.settle(trial.key, { id, state, note });
  try {
    if (step === write) return await begin(trial, settle, needs, signal);
    if (step === seenAt) return await see({ trial, open }, settle, needs, signal);
    if (!(await needs.dnsCare.endTrial(trial.key, signal))) return 250;
    await settle(remove, 'done', 'taken away again');
  } catch (thrown) {
    const error = toAgentError(thrown);
    if (signal.aborted || error.code.startsWith('store.')) throw error;
    const pauseMs = (error.retryAt ?? Number.POSITIVE_INFINITY) - needs.clock.now();
    if (error.code === 'provider.throttled' && pauseMs <= longestInProcessMs) return pauseMs;
    await fail(step, { trial, open }, { error, settle });
  }
  return undefined;
}

type Settle = (id: string, state: TaskItem['state'], note: string) => Promise<void>;

async function begin(
  trial: Trial,
  settle: Settle,
  { dnsCare }: TrialNeeds,
  signal: AbortSignal,
): Promise<number | undefined> {
  await dnsCare.beginTrial(trial, signal);
  const sight = await dnsCare.seeTrial(trial.key, signal);
  if (sight?.acceptedMs !== undefined)
    await settle(write, 'done', `accepted after ${seconds(sight.acceptedMs)}`);
  else if (sight === undefined) await settle(write, 'failed', takenAway);
  else if (sight.ageMs > longestMs)
    await settle(write, 'failed', `not accepted within ${seconds(longestMs)}`);
  else return pauseAfter(sight.ageMs);
  return undefined;
}

async function see(
  { trial, open }: Step,
  settle: Settle,
  { dnsCare }: TrialNeeds,
  signal: AbortSignal,
): Promise<number | undefined> {
  const sight = await dnsCare.seeTrial(trial.key, signal);
  const waiting = open.filter((id) => id.startsWith(seenAt));
  const shown = waiting.filter((id) => sight?.shownBy.includes(id.slice(seenAt.length)) === true);
  for (const id of shown) await settle(id, 'done', `after ${seconds(sight?.ageMs ?? 0)}${wordOf(sight)}`);
  const isOver = sight === undefined || sight.ageMs > longestMs;
  const missing = waiting.filter((id) => !shown.includes(id));
  const words = sight === undefined ? takenAway : `not within ${seconds(longestMs)}`;
  if (isOver) for (const id of missing) await settle(id, 'failed', words);
  if (isOver || missing.length === 0) return undefined;
  return pauseAfter(sight.ageMs);
}

/** Of vendors that say when all their servers have it. */
function wordOf(sight: TrialSight | undefined): string {
  if (sight?.isLive === undefined) return '';
  return sight.isLive ? ', as the vendor says too' : ', before the vendor says so';
}

async function fail(
  step: string,
  { open }: Step,
  { error, settle }: { readonly error: AgentError; readonly settle: Settle },
): Promise<void> {
  const words = `${error.message}. ${error.advice}`;
  if (step === remove) return settle(remove, 'failed', `${words} It is taken away later by itself.`);
  for (const id of open.filter((one) => one === write || one.startsWith(seenAt)))
    if (id === write || step === seenAt) await settle(id, 'failed', words);
    else await settle(id, 'skipped', 'nothing was written');
}

function pauseAfter(ageMs: number): number {
  return Math.round(Math.min(Math.max(100, ageMs / 5), 5000));
}

function seconds(ms: number): string {
  return ms < 100_000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms / 60_000)} minutes`;
}
