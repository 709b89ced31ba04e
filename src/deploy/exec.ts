import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import type { Deployer, DeployRequest } from '../core/ports.ts';
import { type Secret, secret } from '../core/secret.ts';
import { together } from '../core/together.ts';
import type { Bundle } from '../core/types.ts';
import type { PluginContext } from '../plugin/context.ts';
import { defineDeployTarget } from '../plugin/define.ts';
import { secretText } from '../plugin/fields.ts';
import { tryRoot } from './access.ts';
import { withFiles } from './handover.ts';
import { type PemFiles, pemFiles } from './pem-files.ts';
import { type ProgramCall, runTargetProgram, type TargetProgram, tryTargetProgram } from './program.ts';
import { createTold } from './told.ts';

const command = z.array(z.string().min(1)).min(1);

const options = z.strictObject({
  command: command.describe(
    'Program and arguments, without a shell, that put one certificate in place; exit code 0: done. Every user of this machine can read them, so secrets go into env',
  ),
  observe: command
    .optional()
    .describe(
      'Program and arguments that print the SHA-256 fingerprint (hex, colons or not) of what is in place for the certificate that the environment names; nothing: there is none',
    ),
  remove: command
    .optional()
    .describe('Program and arguments that take away what is in place; default: it stays'),
  folder: z
    .string()
    .refine(isAbsolute, { error: 'must be an absolute path, best on a file system in memory' })
    .optional()
    .describe(
      'Where the files lie (0600, in a directory of their own) while the program runs; default: no files, key and chain come on its standard input',
    ),
  timeoutSeconds: z.number().positive().max(3600).default(60).describe('That each program may take.'),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), secretText())
    .default({})
    .describe('Environment of the programs beside PATH, HOME and TMPDIR; masked in their output.'),
});

type Options = z.infer<typeof options>;

/** What the target does beside its programs. */
const ownWorkMs = 60_000;

export const exec = defineDeployTarget<Options>({
  name: 'exec',
  title: 'A program of your own',
  options,
  notes: [
    'The environment tells ACME_AGENT_DOMAIN, _LABEL, _KEY_CLASS (ec or rsa), _LINEAGE and, for "command", _NAMES (parted by blanks), _FINGERPRINT (SHA-256, hex), _SERIAL, _SOURCE (acme, upload or self-signed), _NOT_BEFORE and _NOT_AFTER (seconds since 1970).',
    'Standard input holds the private key (PEM, PKCS #8), then the certificate and its chain. With "folder" the environment also names files: ACME_AGENT_PRIVKEY_FILE, _CERT_FILE, _CHAIN_FILE, _FULLCHAIN_FILE, _COMBINED_FILE; they are gone when the program ends. The key is never in an argument or in the environment.',
    'The program may be run again with the same certificate, and must have it in place when it ends.',
    'Without "observe" an exit code of 0 is all that is known: the certificate that the program took last counts as observed.',
  ],
  create: createExecTarget,
});

function createExecTarget(given: Options, context: PluginContext): Deployer {
  const { name, run, clock, log } = context;
  const timeoutMs = given.timeoutSeconds * 1000;
  const told = createTold(context.state);
  const handover = given.folder && {
    root: given.folder,
    prefix: `acme-agent-${name}-`,
    oldestMs: 2 * timeoutMs + ownWorkMs,
  };

  const programOf = (option: 'command' | 'observe' | 'remove', parts: readonly string[]): TargetProgram => ({
    what: `"${option}" of ${name} ("${parts.join(' ')}")`,
    target: name,
    code: 'deploy.target',
    command: parts,
    timeoutMs,
    env: given.env,
  });

  async function observe(slot: DeployRequest['slot'], signal: AbortSignal): Promise<string | undefined> {
    if (given.observe === undefined) return told.last(slot);
    const program = programOf('observe', given.observe);
    return fingerprintIn(await runTargetProgram(program, run, { facts: slotFacts(slot), signal }), program);
  }

  async function place({ bundle, slot }: DeployRequest, signal: AbortSignal): Promise<void> {
    const program = programOf('command', given.command);
    const pem = pemFiles(bundle);
    const facts = { ...slotFacts(slot), ...certificateFacts(bundle) };
    const call: ProgramCall = { facts, input: pem['combined.pem'], secrets: linesOf(pem) };
    if (!handover) {
      await runTargetProgram(program, run, { ...call, signal });
      return;
    }
    await withFiles(handover, { files: { ...pem }, now: clock.now() }, (directory) =>
      runTargetProgram(program, run, { ...call, facts: { ...facts, ...fileFacts(directory) }, signal }),
    );
  }

  return {
    name,
    longestMs: 2 * timeoutMs + ownWorkMs,
    async deploy(request, signal) {
      signal.throwIfAborted();
      await place(request, signal);
      await told.note(request.slot, request.bundle.certificate.fingerprint);
      const observed = await observe(request.slot, signal);
      log.info({ target: name, lineage: request.slot.lineage }, 'the program took the certificate');
      if (observed !== undefined) return { observed };
      throw new AgentError(
        'deploy.mismatch',
        `"command" of ${name} ended well for ${request.slot.label}, and "observe" says that nothing is there`,
      );
    },
    observe,
    remove:
      given.remove &&
      (async (slot, signal) => {
        signal.throwIfAborted();
        await runTargetProgram(programOf('remove', given.remove ?? []), run, {
          facts: slotFacts(slot),
          signal,
        });
        await told.note(slot, undefined);
      }),
    async check(signal) {
      const tries = (['command', 'observe', 'remove'] as const).flatMap((option) => {
        const parts = given[option];
        if (parts === undefined) return [];
        const advice = `Install it, or correct "${option}" of the target.`;
        const purpose = `that is "${option}" of`;
        return [tryTargetProgram(programOf(option, parts), { run, advice, purpose }, signal)];
      });
      await together([...tries, given.folder && tryRoot(given.folder, { mode: '0600' }, run)]);
    },
  };
}

function slotFacts({ lineage, domain, label, keyClass }: DeployRequest['slot']): Record<string, string> {
  return {
    ACME_AGENT_LINEAGE: lineage,
    ACME_AGENT_DOMAIN: domain,
    ACME_AGENT_LABEL: label,
    ACME_AGENT_KEY_CLASS: keyClass,
  };
}

function certificateFacts({ certificate }: Bundle): Record<string, string> {
  const { names, fingerprint, serial, source, notBefore, notAfter } = certificate;
  return {
    ACME_AGENT_NAMES: names.join(' '),
    ACME_AGENT_FINGERPRINT: fingerprint,
    ACME_AGENT_SERIAL: serial,
    ACME_AGENT_SOURCE: source,
    ACME_AGENT_NOT_BEFORE: String(Math.floor(notBefore / 1000)),
    ACME_AGENT_NOT_AFTER: String(Math.floor(notAfter / 1000)),
  };
}

function fileFacts(directory: string): Record<string, string> {
  return {
    ACME_AGENT_PRIVKEY_FILE: join(directory, 'privkey.pem'),
    ACME_AGENT_CERT_FILE: join(directory, 'cert.pem'),
    ACME_AGENT_CHAIN_FILE: join(directory, 'chain.pem'),
    ACME_AGENT_FULLCHAIN_FILE: join(directory, 'fullchain.pem'),
    ACME_AGENT_COMBINED_FILE: join(directory, 'combined.pem'),
  };
}

/**
 * Line by line, since programs that print what they were given may indent or cut it. What stands in the certificate as
 * well, as part of the public key, is no secret.
 */
function linesOf(pem: PemFiles): readonly Secret<string>[] {
  const open = pem['cert.pem'].replaceAll('\n', '');
  const lines = pem['privkey.pem'].split('\n').filter((line) => line !== '' && !line.startsWith('-----'));
  return lines.filter((line) => !open.includes(line)).map((line) => secret(line));
}

/** Takes what openssl prints, too: "sha256 Fingerprint=AA:BB:…". */
function fingerprintIn(stdout: string, { what }: TargetProgram): string | undefined {
  const text = stdout.trim().replace(/^.*=/, '').replaceAll(':', '').toLowerCase();
  if (text === '') return undefined;
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new AgentError('deploy.mismatch', `${what} printed something that is no SHA-256 fingerprint`, {
    advice: 'It must print the fingerprint of what is in place and nothing else, or nothing at all.',
  });
}
