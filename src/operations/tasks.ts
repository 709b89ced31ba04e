import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import type { Instant, Task, TaskItem } from '../core/types.ts';
import { defineOperation } from './define.ts';

/** How far a task is. */
export interface TaskCounts {
  readonly total: number;
  readonly waiting: number;
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface TaskRow extends Omit<Task, 'items'> {
  readonly counts: TaskCounts;
}

export interface TaskList {
  readonly asOf: Instant;
  readonly tasks: readonly TaskRow[];
}

export interface TaskShown {
  readonly asOf: Instant;
  readonly task: Task;
  readonly counts: TaskCounts;
}

export const taskShow = defineOperation({
  name: 'task.show',
  kind: 'read',
  method: 'GET',
  path: '/tasks/{id}',
  scope: 'read',
  summary: 'Shows how far a task is, certificate by certificate.',
  input: z.strictObject({ id: z.string().min(1).max(200).describe('Its id, as the command gave it') }),
  run: async ({ id }, { tasks, clock }): Promise<TaskShown> => {
    const task = await tasks.get(id);
    if (task === undefined)
      throw new AgentError('command.notFound', `there is no task ${id}; "task list" shows those there are`);
    return { asOf: clock.now(), task, counts: countsOf(task.items) };
  },
});

export const taskList = defineOperation({
  name: 'task.list',
  kind: 'read',
  method: 'GET',
  path: '/tasks',
  scope: 'read',
  summary: 'Lists the latest tasks, newest first.',
  input: z.strictObject({
    limit: z.number().int().min(1).max(1000).optional().describe('At most so many (default 20)'),
  }),
  run: async ({ limit = 20 }, { tasks, clock }): Promise<TaskList> => {
    const list = await tasks.list(limit);
    return {
      asOf: clock.now(),
      tasks: list.map(({ items, ...task }) => ({ ...task, counts: countsOf(items) })),
    };
  },
});

export function countsOf(items: readonly TaskItem[]): TaskCounts {
  const count = (state: TaskItem['state']) => items.filter((item) => item.state === state).length;
  return {
    total: items.length,
    waiting: count('waiting'),
    done: count('done'),
    failed: count('failed'),
    skipped: count('skipped'),
  };
}
