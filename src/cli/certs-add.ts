import { readFile, stat } from 'node:fs/promises';
import { AgentError } from '../core/errors.ts';
import { type Secret, secret } from '../core/secret.ts';
import type { HandedIn } from '../core/types.ts';
import { certsAdd, mostUploadBytes } from '../operations/certs-add.ts';
import { parseInput } from '../operations/command.ts';
import { shapeOf, spellingOf } from './arguments.ts';
import { type ExitCode, errorText, exitCodes } from './exit.ts';
import { render, withClient } from './run.ts';
import type { GlobalOptions, World } from './world.ts';

export interface CertsAdd extends GlobalOptions {
  readonly key?: string | undefined;
  readonly chain?: string | undefined;
  /** A file: what stands on a command line is seen by every user of the machine. */
  readonly passwordFile?: string | undefined;
  readonly domain?: string | undefined;
  readonly name?: string | undefined;
  readonly replace?: string | undefined;
  readonly force?: boolean | undefined;
}

/** `certs add FILE`: stages the files, then asks the agent to take them. */
export async function addCertificate(file: string, options: CertsAdd, world: World): Promise<ExitCode> {
  const { domain, name, replace, force } = options;
  const wish = { domain, name, replace, force };
  try {
    parseInput(certsAdd, { staging: 'later', ...wish }, spellingOf(shapeOf(certsAdd)));
  } catch (error) {
    world.terminal.err(errorText(error));
    return exitCodes.usage;
  }
  return withClient(options, world, async (client) => {
    const staging = await client.stage(await readFiles(file, options));
    const answer = await client.run(certsAdd, { staging, ...wish });
    world.terminal.out(render(certsAdd.name, answer, options));
    return exitCodes.ok;
  });
}

async function readFiles(file: string, { key, chain, passwordFile }: CertsAdd): Promise<HandedIn> {
  const password = passwordFile === undefined ? undefined : await readSecret(passwordFile);
  return {
    certificate: await readSecret(file),
    key: key === undefined ? undefined : await readSecret(key),
    chain: chain === undefined ? undefined : await readSecret(chain),
    password:
      password &&
      secret(
        Buffer.from(password.reveal())
          .toString()
          .replace(/\r?\n$/, ''),
      ),
  };
}

async function readSecret(path: string): Promise<Secret<Uint8Array>> {
  try {
    const { size } = await stat(path);
    if (size <= mostUploadBytes) return secret<Uint8Array>(await readFile(path));
    throw new AgentError(
      'command.invalid',
      `${path} has ${size} bytes; a certificate with its chain and key has at most ${mostUploadBytes}`,
    );
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new AgentError('config.unreadable', `${path} cannot be read (${reason})`, { cause });
  }
}
