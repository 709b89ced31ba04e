import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import { heldOf } from '../core/held-lineages.ts';
import { acquireInTime } from '../core/locks.ts';
import type { Lock, Outlook } from '../core/ports.ts';
import type { Instant, Task } from '../core/types.ts';
import { type Caller, defineOperation, type OperationNeeds } from './define.ts';
import { domainName } from './fields.ts';
import { intentOf, wishOf } from './intent.ts';
import { refuseUnknown } from './refusals.ts';
import { commandEvent } from './renew.ts';
import { closeOrphans, newTask, resumeRequests, startRequests, taskIdOf } from './requests.ts';
import { planWave, type WaveStep } from './wave.ts';
import { counted } from './words.ts';

export interface WaveAnswer {
  /** Absent for a dry run. */
  readonly taskId?: string | undefined;
  /** How many certificates the wave renews. */
  readonly lineages: number;
  /** Only of a dry run: what would be done, in order, and when by the limits of the CAs. */
  readonly plan?: readonly (WaveStep & Outlook)[] | undefined;
  readonly asOf: Instant;
}

interface WaveInput {
  readonly domain?: string | undefined;
  readonly force?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

const operation = 'renew-all';
const lockMs = 30_000;
/** Running tasks older than this many others are not looked for. */
const lookBack = 500;

export const renewAll = defineOperation({
  name: operation,
  kind: 'write',
  method: 'POST',
  path: '/certificates/renew-all',
  scope: 'operate',
  summary: 'Renews all certificates that are due, failing or not as wanted; with force all of them.',
  input: z.strictObject({
    domain: domainName.optional().describe('Only certificates of this domain'),
    force: z.boolean().optional().describe('Also those for which nothing is due'),
    dryRun: z.boolean().optional().describe('Only show what would be renewed, in which order and when'),
  }),
  run: async (input, needs, caller): Promise<WaveAnswer> => {
    await refuseUnknown(input.domain, needs);
    if (input.dryRun === true) {
      const plan = await foreseen(await planOf(input, needs), needs);
      return { lineages: plan.length, plan, asOf: needs.clock.now() };
    }
    const lock = await waveLock(needs);
    try {
      const task = await startWave(input, needs, caller);
      return { taskId: task.id, lineages: task.items.length, asOf: needs.clock.now() };
    } finally {
      await lock.release();
    }
  },
});

async function startWave(input: WaveInput, needs: OperationNeeds, caller: Caller): Promise<Task> {
  const { force = false } = input;
  const id = taskIdOf(operation, caller);
  const known = await needs.tasks.get(id);
  if (known !== undefined) {
    await resumeRequests(known, { force }, needs);
    return known;
  }
  await refuseSecondWave(needs);
  const plan = await planOf(input, needs);
  const lineages = plan.map(({ step }) => step.lineage);
  const task = newTask({ id, operation, lineages }, caller, needs.clock.now());
  // What failed without being due (a forced renewal) would otherwise be found in order and left alone.
  const requests = plan.map(({ held, step }) => ({ held, force: force || step.reason === 'failed' }));
  const facts = { task: id, lineages: lineages.length, domain: input.domain, force };
  await startRequests({ task, requests, event: commandEvent(operation, facts, caller) }, needs);
  return task;
}

async function planOf({ domain, force = false }: WaveInput, needs: OperationNeeds) {
  const held = await heldOf(await needs.certificates.lineages(domain), needs);
  return planWave(held, { force, now: needs.clock.now() });
}

/** By the first issuer of each; another one may have room sooner. */
async function foreseen(
  plan: Awaited<ReturnType<typeof planOf>>,
  { budget, settings, clock }: OperationNeeds,
): Promise<readonly (WaveStep & Outlook)[]> {
  const intents = plan.map(({ held }) => {
    const wish = wishOf(held, settings());
    return intentOf(wish, wish.issuers[0] ?? '', clock.now());
  });
  const outlooks = await budget.foresee(intents);
  return plan.map(({ step }, index) => ({ ...step, ...(outlooks[index] ?? { readyAt: clock.now() }) }));
}

function waveLock(needs: OperationNeeds): Promise<Lock> {
  const busy = 'the start of another renew-all';
  return acquireInTime({ name: 'wave', ttlMs: lockMs, waitMs: lockMs, busy }, needs);
}

async function refuseSecondWave(needs: OperationNeeds): Promise<void> {
  const tasks = await needs.tasks.list(lookBack);
  const running = tasks.find((task) => task.operation === operation && task.state === 'running');
  if (running === undefined) return;
  const task = await closeOrphans(running, needs);
  if (task.state !== 'running') return;
  const waiting = task.items.filter(({ state }) => state === 'waiting').length;
  throw new AgentError(
    'command.conflict',
    `a renew-all is running as ${task.id} with ${counted(waiting, 'certificate')} to go; wait for it: "task show ${task.id}"`,
    { facts: { task: task.id }, advice: 'One runs at a time, on all agents together; send it again then.' },
  );
}
