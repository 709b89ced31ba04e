import { AgentError } from '../core/errors.ts';
import type { Settings } from '../core/types.ts';
import type { Server } from './found.ts';

/** Which of the configured issuers something belongs to. */
export interface IssuerChoice {
  readonly settings: Settings;
  /** Only this one. */
  readonly only?: string | undefined;
}

/** Throws `command.conflict` with why there is none. Of several accounts at one CA the file's first is meant. */
export function issuerAt(server: Server | undefined, { settings, only }: IssuerChoice): string {
  const candidates = only === undefined ? settings.issuers : [only];
  if (server === undefined) {
    if (only !== undefined) return only;
    throw new AgentError('command.conflict', 'its CA is not written down; name the issuer with --issuer');
  }
  const found = candidates.find((name) => server.isAt(settings.issuerFacts?.[name]?.directoryUrl ?? ''));
  if (found !== undefined) return found;
  throw new AgentError(
    'command.conflict',
    only === undefined
      ? `it is of ${server.name}, and no issuer of the configuration file has that directory`
      : `it is of ${server.name}, which is not the directory of ${only}`,
  );
}
