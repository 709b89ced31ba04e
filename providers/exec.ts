import { z } from 'zod';
import { AgentError } from '../src/core/errors.ts';
import type { ChangeOutcome, DnsProvider, ProviderTraits, TxtChange } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { secretText } from '../src/plugin/fields.ts';
import { isProgram } from '../src/plugin/program.ts';

const options = z.strictObject({
  command: z
    .array(z.string().min(1))
    .min(1)
    .describe('Program and first arguments, without a shell; "present" or "cleanup", name and value follow.'),
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
  cleanup: z
    .enum(['value', 'name'])
    .default('value')
    .describe('What "cleanup" removes: the value given, or all TXT records of the name.'),
  ttl: z.int().min(1).max(86_400).default(60).describe('Seconds; what the program is known to set.'),
  propagationSeconds: z.int().min(0).max(3600).default(60).describe('How long a change usually takes.'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'opaque',
  serialize: 'account',
  batch: { maxChanges: 1, atomic: true },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  rate: [],
  ttl: { min: 1, preferred: 60 },
  propagation: { signal: 'authoritative', typicalMs: 60_000, timeoutMs: 600_000 },
};

export const exec = defineDnsProvider<Options>({
  name: 'exec',
  title: "A program of your own (lego's exec protocol)",
  docs: 'https://go-acme.github.io/lego/dns/exec/',
  options,
  traits,
  notes: [
    'Called as: PROGRAM present|cleanup _acme-challenge.example.com. VALUE; any exit code but 0 is a failure.',
    'present adds the value beside those there and succeeds when it is there already; cleanup of a missing value succeeds.',
    'One call at a time. The zone is found by SOA queries, or declared at the account.',
  ],
  create,
});

function create(config: Options, context: PluginContext): DnsProvider {
  const { ttl, cleanup, propagationSeconds } = config;
  const typicalMs = propagationSeconds * 1000;
  return {
    traits: {
      ...traits,
      removeIsExact: cleanup === 'value',
      ttl: { ...traits.ttl, preferred: ttl },
      propagation: { ...traits.propagation, typicalMs, timeoutMs: Math.max(600_000, 2 * typicalMs) },
    },
    async apply(_zone, changes, signal) {
      const outcomes: ChangeOutcome[] = [];
      for (const change of changes) outcomes.push(await runChange(change, { config, context, signal }));
      return { outcomes };
    },
    check: (signal) => findProgram(config, context, signal),
  };
}

/** Does not run it: who knows what it does. */
async function findProgram(
  { command: [program = ''], env }: Options,
  { run }: PluginContext,
  signal: AbortSignal,
): Promise<void> {
  if (await isProgram(program, { run, path: env.PATH?.reveal() }, signal)) return;
  throw new AgentError('provider.unavailable', `the program ${program} is not there, or may not be run`, {
    retry: 'blocked',
    advice: 'Install it, or correct "command" of this DNS account.',
  });
}

async function runChange(
  { op, name, value }: TxtChange,
  { config, context, signal }: { config: Options; context: PluginContext; signal: AbortSignal },
): Promise<ChangeOutcome> {
  const verb = op === 'add' ? 'present' : 'cleanup';
  const secrets = Object.values(config.env);
  const env = Object.fromEntries(Object.entries(config.env).map(([key, text]) => [key, text.reveal()]));
  const { code, timedOut, stderr } = await context.run({
    command: [...config.command, verb, `${name}.`, value],
    env,
    secrets,
    timeoutMs: config.timeoutSeconds * 1000,
    signal,
  });
  signal.throwIfAborted();
  if (code === 0) return { ok: true };
  const call = `${config.command[0]} ${verb} ${name}`;
  const ended = timedOut
    ? `did not end within ${config.timeoutSeconds} s`
    : `ended with ${code === undefined ? 'a signal' : `exit code ${code}`}`;
  const said = stderr.trim().split('\n').slice(-3).join(' ').slice(0, 300);
  const message = `${call} ${ended}${said === '' ? '' : `: ${said}`}; run it by hand and mend what it says`;
  return { ok: false, error: new AgentError('provider.unavailable', message) };
}
