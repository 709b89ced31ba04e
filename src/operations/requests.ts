import { createHash, randomBytes } from 'node:crypto';
import { isAgentError } from '../core/errors.ts';
import { type HeldLineage, heldOf } from '../core/held-lineages.ts';
import type { Change } from '../core/ports.ts';
import { editRenewal } from '../core/records.ts';
import { dueOfLineage } from '../core/renewal/next-action.ts';
import { resumed } from '../core/renewal/pause.ts';
import type { Instant, LineageId, NewEvent, RenewalState, Task } from '../core/types.ts';
import type { Caller, OperationNeeds } from './define.ts';

type Needs = Pick<OperationNeeds, 'certificates' | 'renewals' | 'changes' | 'tasks' | 'jobs' | 'clock'>;

/** A lineage that shall be ordered now; `force`: even if nothing is due. */
export interface Request {
  readonly held: HeldLineage;
  readonly force: boolean;
  /** The pauses of its issuers are over, a person says. */
  readonly isResumed?: boolean | undefined;
}

const chunk = 100;

/** Id of the task of a command: the same for the same idempotency key. */
export function taskIdOf(operation: string, { idempotencyKey }: Caller): string {
  if (idempotencyKey === undefined) return `task-${randomBytes(6).toString('hex')}`;
  return `task-${createHash('sha256').update(`${operation}\n${idempotencyKey}`).digest('hex').slice(0, 20)}`;
}

/** A task with one waiting item a lineage; without any it is done from the start. */
export function newTask(
  { id, operation, lineages }: { id: string; operation: string; lineages: readonly LineageId[] },
  { requestedBy }: Caller,
  now: Instant,
): Task {
  const items = lineages.map((lineage) => ({ id: lineage, state: 'waiting' as const }));
  const rest =
    items.length === 0 ? { state: 'done' as const, finishedAt: now } : { state: 'running' as const };
  return { id, operation, createdAt: now, requestedBy, items, ...rest };
}

/**
 * Stores the task, then asks for each lineage under its name, in the order given, and wakes the work. May run twice
 * for one task: what is asked for already stays.
 */
export async function startRequests(
  { task, requests, event }: { task: Task; requests: readonly Request[]; event: NewEvent },
  needs: Needs,
): Promise<void> {
  await needs.changes.commit({ putTasks: [task], events: [event] });
  await askAll(task.id, requests, needs);
}

/** Goes on with a task whose command was carried out before, perhaps only in part. */
export async function resumeRequests(
  task: Task,
  how: Pick<Request, 'force' | 'isResumed'>,
  needs: Needs,
): Promise<void> {
  const waiting = task.items.filter(({ state }) => state === 'waiting');
  const lineages = await Promise.all(waiting.map(({ id }) => needs.certificates.lineage(id)));
  const held = await heldOf(
    lineages.filter((lineage) => lineage !== undefined),
    needs,
  );
  const missing = held.filter(({ state }) => state.requested?.task !== task.id);
  await askAll(
    task.id,
    missing.map((one) => ({ held: one, ...how })),
    needs,
  );
}

/** Items that nothing will answer any more (asked for again by others, or no longer wanted) are closed. */
export async function closeOrphans(task: Task, needs: Needs): Promise<Task> {
  const waiting = task.items.filter(({ state }) => state === 'waiting').map(({ id }) => id);
  const [states, lineages] = await Promise.all([
    needs.renewals.many(waiting),
    Promise.all(waiting.map((id) => needs.certificates.lineage(id))),
  ]);
  const orphans = waiting.filter((_, index) => {
    const lineage = lineages[index];
    const isWanted = lineage !== undefined && lineage.unwantedSince === undefined;
    return !isWanted || states[index]?.requested?.task !== task.id;
  });
  for (const id of orphans)
    await needs.tasks.settle(task.id, { id, state: 'skipped', note: 'no longer asked for' });
  return (await needs.tasks.get(task.id)) ?? task;
}

/** The tasks that had asked for these lineages before get their answer: another one asks now. */
export async function takeOver(
  before: readonly RenewalState[],
  by: string,
  { tasks }: Pick<Needs, 'tasks'>,
): Promise<void> {
  const losers = new Set(before.flatMap(({ requested }) => requested?.task ?? []));
  losers.delete(by);
  for (const id of losers) {
    const task = await tasks.get(id);
    const open = new Set(task?.items.filter(({ state }) => state === 'waiting').map((item) => item.id));
    for (const { lineage, requested } of before)
      if (requested?.task === id && open.has(lineage))
        await tasks.settle(id, { id: lineage, state: 'skipped', note: `taken over by ${by}` });
  }
}

async function askAll(task: string, requests: readonly Request[], needs: Needs): Promise<void> {
  for (let from = 0; from < requests.length; from += chunk) {
    const part = requests.slice(from, from + chunk);
    await askChunk(task, part, needs);
    await takeOver(
      part.map(({ held }) => held.state),
      task,
      needs,
    );
    await needs.jobs.wake(
      'issue',
      part.map(({ held }) => held.lineage.id),
    );
  }
}

/** In one write; one by one if somebody else changed one of them meanwhile. */
async function askChunk(task: string, requests: readonly Request[], needs: Needs): Promise<void> {
  const now = needs.clock.now();
  const changes = requests.map((request) => asked(request, request.held.state, { task, now }));
  try {
    await needs.changes.commit({
      putRenewals: changes.flatMap(({ putRenewals = [] }) => putRenewals),
      due: changes.flatMap(({ due = [] }) => due),
    });
  } catch (error) {
    if (!isAgentError(error, 'store.conflict')) throw error;
    for (const request of requests)
      await editRenewal(request.held.lineage.id, needs, (state) => asked(request, state, { task, now }));
  }
}

function asked(
  { held, force, isResumed = false }: Request,
  before: RenewalState,
  { task, now }: { task: string; now: Instant },
): Change {
  const state = isResumed ? resumed(before) : before;
  // A forced wish that failed still stands: whoever asks after it means that one too.
  const isForced = force || before.requested?.force === true;
  const next: RenewalState = { ...state, requested: { at: now, force: isForced, task } };
  return { putRenewals: [next], due: dueOfLineage({ ...held, state: next, now }) };
}
