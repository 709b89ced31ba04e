import { AgentError } from '../src/core/errors.ts';
import type { AnyOperation, Caller, OperationNeeds } from '../src/operations/define.ts';
import type { CommandHandler } from './define.ts';

/** A command as its job carried it, validated. */
export interface ParsedCommand {
  readonly operation: AnyOperation;
  readonly input: unknown;
  readonly caller: Caller;
}

export type CommandNeeds = OperationNeeds & {
  /** Throws `command.unknown` or `command.invalid`. */
  readonly parse: (name: string, data: unknown) => ParsedCommand;
};

/** Carries out one write; reads never come this way. */
export function commandHandler(needs: CommandNeeds): CommandHandler {
  return async ({ id, name, data }) => {
    const { operation, input, caller } = needs.parse(name, data);
    if (operation.kind !== 'write')
      throw new AgentError('command.unknown', `${name} is a read; ask for it with the CLI or read the store`);
    const answer = await operation.run(input, needs, caller);
    needs.log.info({ command: name, id, requestedBy: caller.requestedBy }, 'command carried out');
    return answer;
  };
}
