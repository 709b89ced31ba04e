import { z } from 'zod';
import { AgentError } from '../src/core/errors.ts';
import type { ChangeOutcome, DnsProvider, TxtChange } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { secretText } from '../src/plugin/fields.ts';
import { isProgram } from '../src/plugin/program.ts';
import { callFor, handleOf } from './exec-call.ts';
import { howItEnded, opaqueOptions, opaqueTraits } from './opaque.ts';

const command = z.array(z.string().min(1)).min(1);

const options = z
  .strictObject({
    command: command.describe(
      'Program and first arguments, without a shell. lego: "present" or "cleanup", name and value follow; certbot: the manual-auth-hook.',
    ),
    form: z
      .enum(['lego', 'certbot'])
      .default('lego')
      .describe(
        'How it is told what to do: by arguments as from lego, or by CERTBOT_ variables as from certbot.',
      ),
    cleanupCommand: command.optional().describe('certbot only: the manual-cleanup-hook.'),
    timeoutSeconds: z
      .int()
      .min(1)
      .max(120)
      .default(60)
      .describe('After that the program is killed; at most 120.'),
    env: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), secretText())
      .default({})
      .describe('Environment of the program beside PATH, HOME and TMPDIR; masked in its output.'),
    ...opaqueOptions('value'),
  })
  .refine(({ form, cleanupCommand }) => (form === 'certbot') === (cleanupCommand !== undefined), {
    path: ['cleanupCommand'],
    error: 'goes with "form: certbot", which cannot do without it',
  });

type Options = z.infer<typeof options>;

export const exec = defineDnsProvider<Options>({
  name: 'exec',
  title: "A program of your own (lego's exec protocol), or hooks written for certbot",
  docs: 'https://go-acme.github.io/lego/dns/exec/',
  options,
  traits: opaqueTraits({ cleanup: 'value', ttl: 60, propagationSeconds: 60 }),
  notes: [
    'lego: called as PROGRAM present|cleanup _acme-challenge.example.com. VALUE; any exit code but 0 is a failure.',
    'present adds the value beside those there and succeeds when it is there already; cleanup of a missing value succeeds.',
    'The RAW mode of lego is not spoken: a provider knows the record, not the token and the key authorization it is made of.',
    "certbot: CERTBOT_DOMAIN, CERTBOT_VALIDATION, CERTBOT_ALL_DOMAINS (just that one), CERTBOT_REMAINING_CHALLENGES (0) and, for the clean-up, CERTBOT_AUTH_OUTPUT. A hook's output is kept in the store until then, so it must not be secret; an exit code other than 0 is a failure here.",
    'certbot: CNAMEs of challenge names are followed only to names that begin with _acme-challenge too.',
    'One call at a time. The zone is found by SOA queries, or declared at the account.',
  ],
  create,
});

function create(config: Options, context: PluginContext): DnsProvider {
  return {
    traits: opaqueTraits(config),
    async apply(_zone, changes, signal) {
      const outcomes: ChangeOutcome[] = [];
      for (const change of changes) outcomes.push(await runChange(change, { config, context, signal }));
      return { outcomes };
    },
    async check(signal) {
      await findProgram('command', config.command, { config, context, signal });
      if (config.cleanupCommand !== undefined)
        await findProgram('cleanupCommand', config.cleanupCommand, { config, context, signal });
    },
  };
}

interface Call {
  readonly config: Options;
  readonly context: PluginContext;
  readonly signal: AbortSignal;
}

/** Does not run it: who knows what it does. */
async function findProgram(
  option: string,
  [program = '']: readonly string[],
  { config, context, signal }: Call,
): Promise<void> {
  if (await isProgram(program, { run: context.run, path: config.env.PATH?.reveal() }, signal)) return;
  throw new AgentError('provider.unavailable', `the program ${program} is not there, or may not be run`, {
    retry: 'blocked',
    advice: `Install it, or correct "${option}" of this DNS account.`,
  });
}

async function runChange(change: TxtChange, { config, context, signal }: Call): Promise<ChangeOutcome> {
  const { command, env } = callFor(change, config);
  const given = Object.fromEntries(Object.entries(config.env).map(([key, text]) => [key, text.reveal()]));
  const result = await context.run({
    command,
    env: { ...given, ...env },
    secrets: Object.values(config.env),
    timeoutMs: config.timeoutSeconds * 1000,
    signal,
  });
  signal.throwIfAborted();
  if (result.code === 0) return { ok: true, handle: handleOf(result.stdout, config.form) };
  const verb = change.op === 'add' ? 'present' : 'cleanup';
  const call = `${command[0]} ${verb} ${change.name} ${howItEnded(result, config.timeoutSeconds)}`;
  const said = result.stderr.trim().split('\n').slice(-3).join(' ').slice(0, 300);
  const message = `${call}${said === '' ? '' : `: ${said}`}; run it by hand and mend what it says`;
  return { ok: false, error: new AgentError('provider.unavailable', message) };
}
