import type { Task, TaskItem } from '../core/types.ts';
import { sentence } from '../operations/words.ts';

const words: Readonly<Record<TaskItem['state'], string>> = {
  done: 'ok',
  failed: 'AMISS',
  skipped: '-',
  waiting: '...',
};

/** The text of `dns doctor`, one line a thing that was looked at. */
export function renderDoctor({ items }: Task): string {
  const lines = items.map(({ id, state, note = '' }) => `${words[state].padEnd(7)}${id}: ${note}`);
  const amiss = items.filter(({ state }) => state === 'failed').map(({ id }) => id);
  const end = amiss.length === 0 ? 'Nothing is amiss.' : sentence(`Amiss: ${amiss.join(', ')}`);
  return [...lines, end].map((line) => `${line}\n`).join('');
}
