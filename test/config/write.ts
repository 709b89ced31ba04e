import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoadedConfig } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Variables } from '../../src/config/reader.ts';
import { isAgentError } from '../../src/core/errors.ts';

/** The least that a file must say. */
export const issuers = 'issuers: { le: { preset: letsencrypt, agreeToTerms: true } }\n';

export interface Written {
  readonly folder: string;
  load(env?: Variables): Promise<LoadedConfig>;
  /** Lines of the error, without the file's name before them. */
  mistakes(env?: Variables): Promise<readonly string[]>;
}

/** A configuration file in a folder of its own, with other files beside it. */
export async function write(text: string, others: Readonly<Record<string, string>> = {}): Promise<Written> {
  const folder = await mkdtemp(join(tmpdir(), 'acme-agent-config-'));
  const path = join(folder, 'acme-agent.yaml');
  await writeFile(path, text);
  for (const [name, content] of Object.entries(others)) await writeFile(join(folder, name), content);
  const load = (env: Variables = {}) => loadConfig(path, env);
  return {
    folder,
    load,
    async mistakes(env) {
      const error = await load(env).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (!isAgentError(error)) throw error ?? new Error('the file was taken without a mistake');
      return error.message.split('\n').map((line) => line.replace(`${path}:`, ''));
    },
  };
}

export async function mistakesOf(text: string, env?: Variables): Promise<readonly string[]> {
  return (await write(text)).mistakes(env);
}
