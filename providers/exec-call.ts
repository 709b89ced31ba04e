import { AgentError } from '../src/core/errors.ts';
import type { TxtChange } from '../src/core/provider.ts';

/** How a program is told what to do. */
export type ExecForm = 'lego' | 'certbot';

export interface ExecCall {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Throws `provider.invalid` where the form cannot say it. */
export function callFor(
  change: TxtChange,
  {
    form,
    command,
    cleanupCommand = [],
  }: {
    readonly form: ExecForm;
    readonly command: readonly string[];
    readonly cleanupCommand?: readonly string[] | undefined;
  },
): ExecCall {
  const { op, name, value } = change;
  if (form === 'certbot')
    return { command: op === 'add' ? command : cleanupCommand, env: certbotVariables(change) };
  return { command: [...command, op === 'add' ? 'present' : 'cleanup', `${name}.`, value], env: {} };
}

const prefix = '_acme-challenge.';

/** Each change is a challenge of its own, the last one of its run: hooks that wait for the last wait each time. */
function certbotVariables({ op, name, value, handle = '' }: TxtChange): ExecCall['env'] {
  if (!name.startsWith(prefix))
    throw new AgentError(
      'provider.invalid',
      `a hook for certbot puts ${prefix} before the domain itself, so it cannot write at ${name}: use the form lego`,
    );
  const domain = name.slice(prefix.length);
  return {
    CERTBOT_DOMAIN: domain,
    CERTBOT_IDENTIFIER: domain,
    CERTBOT_ALL_DOMAINS: domain,
    CERTBOT_ALL_IDENTIFIERS: domain,
    CERTBOT_VALIDATION: value,
    CERTBOT_REMAINING_CHALLENGES: '0',
    ...(op === 'remove' && { CERTBOT_AUTH_OUTPUT: handle }),
  };
}

const longestOutput = 4096;

/** What the hook for the clean-up is to get of the output of the first one, kept with the record meanwhile. */
export function handleOf(stdout: string, form: ExecForm): string | undefined {
  if (form === 'lego') return undefined;
  return stdout.trim().slice(0, longestOutput) || undefined;
}
