import type { Task, TaskItem } from '../core/types.ts';
import { countsOf } from '../operations/tasks.ts';
import type { Terminal } from './print.ts';

/** Shows how a task goes on. */
export interface Progress {
  update(task: Task): void;
  /** Leaves the line that was drawn last. */
  end(): void;
}

const widest = 30;

/** One line drawn again and again on a screen; elsewhere one line a finished item. */
export function createProgress(terminal: Terminal): Progress {
  return terminal.isInteractive ? createBar(terminal) : createLines(terminal);
}

function createBar(terminal: Terminal): Progress {
  let drawn = '';
  const draw = (line: string) => {
    if (line === drawn) return;
    drawn = line;
    terminal.err(`\r${line}\u001b[K`);
  };
  return {
    update: (task) => draw(bar(task, terminal.columns)),
    end: () => {
      if (drawn !== '') terminal.err('\n');
      drawn = '';
    },
  };
}

function createLines(terminal: Terminal): Progress {
  const told = new Set<string>();
  return {
    update: ({ items }) => {
      for (const item of items) {
        if (item.state === 'waiting' || told.has(item.id)) continue;
        told.add(item.id);
        terminal.err(`${told.size}/${items.length} ${words(item)}\n`);
      }
    },
    end: () => {},
  };
}

/** "[#######-----------------------] 12/50, 1 failed". */
export function bar({ items }: Pick<Task, 'items'>, columns: number): string {
  const { total, waiting, failed, skipped } = countsOf(items);
  const settled = total - waiting;
  const extras = [failed > 0 ? `, ${failed} failed` : '', skipped > 0 ? `, ${skipped} skipped` : ''].join('');
  const text = `${settled}/${total}${extras}`;
  const width = Math.max(0, Math.min(widest, columns - text.length - 4));
  if (width < 5) return text;
  const filled = total === 0 ? width : Math.floor((settled / total) * width);
  return `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}] ${text}`;
}

/** Why something failed or was left alone is told at the end. */
function words({ id, state, note }: TaskItem): string {
  return `${state} ${id}${note === undefined || state !== 'done' ? '' : ` (${note})`}`;
}
