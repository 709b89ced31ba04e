import { AgentError, isAgentError } from '../src/core/errors.ts';
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

type Run = (isRepeat: boolean) => Promise<unknown>;

/** Carries out one write; reads never come this way. A repeated idempotency key gets the answer of the first. */
export function commandHandler(needs: CommandNeeds): CommandHandler {
  return async ({ id, name, data, isRepeat = false }) => {
    const { operation, input, caller } = needs.parse(name, data);
    if (operation.kind !== 'write')
      throw new AgentError('command.unknown', `${name} is a read; ask for it with the CLI or read the store`);
    const { idempotencyKey, requestedBy } = caller;
    const run: Run = (isBegun) => operation.run(input, needs, { ...caller, isRepeat: isRepeat || isBegun });
    const answer =
      idempotencyKey === undefined ? await run(false) : await once(`${name} ${idempotencyKey}`, run, needs);
    needs.log.info({ command: name, id, requestedBy }, 'command carried out');
    return answer;
  };
}

async function once(key: string, run: Run, needs: CommandNeeds): Promise<unknown> {
  const lock = await acquireInTime(
    { name: `command:${key}`, ttlMs: lockMs, waitMs, busy: 'the same command' },
    needs,
  );
  try {
    const known = await needs.answers.get(key);
    if (known?.answer !== undefined) return JSON.parse(known.answer) as unknown;
    if (known === undefined) await needs.answers.begin(key);
    const answer = await run(known !== undefined).catch(async (error: unknown) => {
      if (known === undefined && isRefusal(error)) await needs.answers.forget(key);
      throw error;
    });
    await needs.answers.put(key, JSON.stringify(answer ?? null));
    return answer;
  } finally {
    await lock.release();
  }
}

function isRefusal(error: unknown): boolean {
  return isAgentError(error) && error.code.startsWith('command.');
}
