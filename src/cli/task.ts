import type { Instant, Task } from '../core/types.ts';
import { countsOf } from '../operations/tasks.ts';
import { relative } from '../operations/words.ts';
import { facts, table } from './print.ts';

/** The text of `task show`. */
export function renderTask(task: Task, now: Instant): string {
  const { id, operation, createdAt, finishedAt, state, requestedBy, items } = task;
  const about = facts([
    ['task', id],
    ['operation', operation],
    ['state', state],
    ['started', relative(createdAt, now)],
    ['finished', finishedAt === undefined ? undefined : relative(finishedAt, now)],
    ['asked by', requestedBy],
  ]);
  if (items.length === 0) return about;
  const rows = items.map((item) => [item.id, item.state, item.note ?? '']);
  return `${about}\n${table(['CERTIFICATE', 'STATE', 'NOTE'], rows)}`;
}

/** What became of a task that was waited for: the sum, and what failed. */
export function renderOutcome({ items, operation }: Task): string {
  const { done, failed, skipped } = countsOf(items);
  if (items.length === 0) return 'nothing to renew\n';
  const parts = [
    `${done} ${operation === 'revoke' ? 'revoked' : 'issued'}`,
    `${failed} failed`,
    `${skipped} not needed`,
  ];
  const notes = items
    .filter(({ state }) => state === 'failed' || state === 'skipped')
    .map(({ id, note = 'skipped' }) => `  ${id}: ${note}\n`);
  const help = failed === 0 ? '' : 'what to do about it: acme-agent why NAME\n';
  return `${parts.join(', ')}\n${notes.join('')}${help}`;
}
