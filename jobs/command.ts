import { AgentError } from '../src/core/errors.ts';
import { acquireInTime } from '../src/core/locks.ts';
import type { Ports } from '../src/core/ports.ts';
import type { OperationNeeds, ParsedCommand } from '../src/operations/define.ts';
import type { CommandHandler } from './define.ts';

export type CommandNeeds = OperationNeeds &
  Pick<Ports, 'answers'> & {
    /** Throws `command.unknown` or `command.invalid`. */
    readonly parse: (name: string, data: unknown) => ParsedCommand;
  };

/** So long nobody goes on with the command of a killed worker; a living one prolongs it. */
const lockMs = 15_000;
const waitMs = 60_000;

/** Carries out one write; reads never come this way. A repeated idempotency key gets the answer of the first. */
export function commandHandler(needs: CommandNeeds): CommandHandler {
  return async ({ id, name, data }) => {
    const command = needs.parse(name, data);
    if (command.operation.kind !== 'write')
      throw new AgentError('command.unknown', `${name} is a read; ask for it with the CLI or read the store`);
    const { idempotencyKey, requestedBy } = command.caller;
    const run = () => command.operation.run(command.input, needs, command.caller);
    const answer =
      idempotencyKey === undefined ? await run() : await once(`${name} ${idempotencyKey}`, run, needs);
    needs.log.info({ command: name, id, requestedBy }, 'command carried out');
    return answer;
  };
}

async function once(key: string, run: () => Promise<unknown>, needs: CommandNeeds): Promise<unknown> {
  const lock = await acquireInTime(
    { name: `command:${key}`, ttlMs: lockMs, waitMs, busy: 'the same command' },
    needs,
  );
  try {
    const known = await needs.answers.get(key);
    if (known !== undefined) return JSON.parse(known) as unknown;
    const answer = await run();
    await needs.answers.put(key, JSON.stringify(answer ?? null));
    return answer;
  } finally {
    await lock.release();
  }
}
