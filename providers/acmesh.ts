import { AgentError, type ErrorCode } from '../src/core/errors.ts';
import type { ChangeOutcome, DnsProvider, TxtChange } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { createMemory, type Memory } from './acmesh-memory.ts';
import { type AcmeshOptions, options } from './acmesh-options.ts';
import { runShim, type SaidLine, type ShimResult, scriptName } from './acmesh-shim.ts';
import { howItEnded, opaqueTraits } from './opaque.ts';

export const acmesh = defineDnsProvider<AcmeshOptions>({
  name: 'acmesh',
  title: 'A dnsapi script of acme.sh, for some 180 hosts of DNS zones',
  docs: 'https://github.com/acmesh-official/acme.sh/wiki/dnsapi',
  options,
  traits: opaqueTraits({ cleanup: 'name', ttl: 60, propagationSeconds: 60 }),
  notes: [
    'No script comes with the agent: install acme.sh (it need not be set up) and name its folder "dnsapi".',
    'Which variables a script takes stands at its top; those are checked when the configuration is read.',
    'Many scripts remove all TXT records of a name, so a removal waits until no other value is needed there. With "cleanup: value" it does not: only for scripts known to remove just the value given.',
    'Needs curl and openssl. What is secret reaches these in files and on stdin; some scripts put it into arguments of other programs themselves.',
    'What a script saves is kept in the store, encrypted, and forgotten when the variables of the account change.',
    'Not there: wget, nsupdate and other programs that single scripts run, unless they are installed.',
    'To see what a script says for debugging, give env: { DEBUG: "2" } and log level debug; session tokens of the vendor may be among it.',
  ],
  create,
});

interface Call {
  readonly config: AcmeshOptions;
  readonly context: PluginContext;
  readonly memory: Memory;
  readonly signal: AbortSignal;
}

function create(config: AcmeshOptions, context: PluginContext): DnsProvider {
  const memory = createMemory(config, context);
  return {
    traits: opaqueTraits(config),
    async apply(_zone, changes, signal) {
      const outcomes: ChangeOutcome[] = [];
      for (const change of changes)
        outcomes.push(await runChange(change, { config, context, memory, signal }));
      return { outcomes };
    },
    check: (signal) => checkScript(config, context, signal),
  };
}

/** Loads the script, and calls nothing in it: who knows what it does. */
async function checkScript(
  config: AcmeshOptions,
  { run, log }: PluginContext,
  signal: AbortSignal,
): Promise<void> {
  const result = await runShim({ verb: 'check' }, { config, run }, signal);
  signal.throwIfAborted();
  repeat(result.said, scriptName(config), log);
  if (result.code === 0) return;
  const message = `the script ${scriptName(config)} cannot be used: ${gist(result) || howItEnded(result, config.timeoutSeconds)}`;
  throw new AgentError('provider.unavailable', message, {
    retry: 'blocked',
    advice: 'Install what is missing, or correct "dnsapi", "script" or "runAs" of this DNS account.',
  });
}

async function runChange(
  { op, name, value }: TxtChange,
  { config, context, memory, signal }: Call,
): Promise<ChangeOutcome> {
  const verb = op === 'add' ? 'add' : 'rm';
  if (/[\r\n]/.test(value)) return { ok: false, error: new AgentError('provider.invalid', lineBreak) };
  const before = await memory.recall(name);
  signal.throwIfAborted();
  const { run, log, clock } = context;
  const result = await runShim({ verb, name, value, saved: before }, { config, run }, signal);
  repeat(result.said, scriptName(config), log);
  if (result.saved !== undefined) await memory.keep(name, result.saved, before);
  signal.throwIfAborted();
  if (result.code === 0) return { ok: true };
  return refusal(`${scriptName(config)} ${verb} ${name}`, result, { config, now: clock.now() });
}

const lineBreak = 'a TXT value with a line break cannot be handed to a dnsapi script';

/** What the vendor's API answered last says more than the exit code. */
const codes: Readonly<Record<number, ErrorCode>> = {
  401: 'provider.auth',
  403: 'provider.forbidden',
  429: 'provider.throttled',
};

function refusal(
  call: string,
  result: ShimResult,
  { config, now }: { readonly config: AcmeshOptions; readonly now: number },
): ChangeOutcome {
  const { status = 0, retryAfterSeconds } = result;
  const said = gist(result);
  const answered = status === 0 ? '' : ` after the API answered ${status}`;
  const message = `${call} ${howItEnded(result, config.timeoutSeconds)}${answered}${said === '' ? '' : `: ${said}`}`;
  const isFault = status >= 500;
  const code = codes[status] ?? 'provider.unavailable';
  // Nothing is known of what went wrong: the engine need not hold up the zone with more tries.
  if (result.timedOut || (code === 'provider.unavailable' && !isFault))
    return { ok: false, error: new AgentError('provider.unavailable', message) };
  const retryAt = retryAfterSeconds === undefined ? undefined : now + retryAfterSeconds * 1000;
  throw new AgentError(code, message, {
    facts: { status },
    ...(code === 'provider.throttled' && { retryAt }),
    // Often over in a moment.
    ...(isFault && { retry: 'soon' as const }),
  });
}

/** The last errors; where the script told none, the last of all that was said. */
function gist({ said }: ShimResult): string {
  const errors = said.filter(({ isError, text }) => isError || / not found$/.test(text));
  const lines = errors.length > 0 ? errors : said;
  return lines
    .slice(-3)
    .map(({ text }) => text)
    .join(' ')
    .slice(0, 300);
}

const longestLine = 1000;
const mostLines = 200;

/** What scripts call information is of no interest when all goes well. */
function repeat(said: readonly SaidLine[], script: string, log: PluginContext['log']): void {
  for (const { isError, text } of said.slice(-mostLines)) {
    const facts = { script, said: text.slice(0, longestLine) };
    if (isError) log.warn(facts, 'the dnsapi script told an error');
    else log.debug(facts, 'the dnsapi script said');
  }
}
