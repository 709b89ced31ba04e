import { access, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { systemClock } from '../clock.ts';
import type { LoadedConfig } from '../config/config.ts';
import { readEnvironment } from '../config/load.ts';
import { AgentError } from '../core/errors.ts';
import type { Certificate } from '../core/types.ts';
import { pemFiles } from '../deploy/pem-files.ts';
import { makeFolder } from '../folder.ts';
import { createLog } from '../log.ts';
import { findLineages } from '../operations/lineages.ts';
import type { Store } from '../store/index.ts';
import { openOthersStore } from './open.ts';

export interface DownloadOptions {
  /** Id of the certificate, or a host name. */
  readonly id: string;
  /** Absent: the present one. */
  readonly generation?: number | undefined;
  readonly folder: string;
  /** Over files that are there. */
  readonly force: boolean;
}

export interface Downloaded {
  readonly certificate: Certificate;
  readonly files: readonly string[];
}

/**
 * Writes a certificate with its key into a folder, each file 0600. Past all queues, so that no job carries the key; the
 * trail of events has it before the files are there.
 */
export async function downloadFromAgent(loaded: LoadedConfig, options: DownloadOptions): Promise<Downloaded> {
  const [clock, log] = [systemClock, createLog({ level: 'error' })];
  const { store } = await openOthersStore(loaded, { environment: readEnvironment(), clock, log });
  try {
    return await download(store, options);
  } finally {
    await store.close();
  }
}

async function download(
  store: Store,
  { id, generation, folder, force }: DownloadOptions,
): Promise<Downloaded> {
  const [lineage, ...others] = await findLineages(id, store);
  if (lineage === undefined || others.length > 0)
    throw new AgentError(
      'command.invalid',
      `${id} has several certificates; name one of: ${[lineage, ...others].map((one) => one?.id).join(', ')}`,
    );
  const bundle = await store.certificates.bundle(lineage.id, generation);
  if (bundle === undefined)
    throw new AgentError(
      'command.notFound',
      `${lineage.id} holds no ${generation === undefined ? 'certificate' : `generation ${generation}`}; generations held: ${lineage.generations.join(', ') || 'none'}`,
    );
  const { certificate } = bundle;
  const files = Object.entries(pemFiles(bundle)).map(([name, text]) => ({
    path: join(resolve(folder), name),
    text,
  }));
  if (!force) await refuseThere(files.map(({ path }) => path));
  const facts = {
    generation: certificate.generation,
    serial: certificate.serial,
    names: certificate.names,
    requestedBy: `cli (${userInfo().username})`,
  };
  await store.changes.commit({
    events: [{ type: 'certificate.downloaded', domain: lineage.domain, lineage: lineage.id, facts }],
    durable: true,
  });
  await write(resolve(folder), files);
  return { certificate, files: files.map(({ path }) => path) };
}

async function refuseThere(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (isThere)
      throw new AgentError(
        'command.conflict',
        `${path} is there already; choose another folder, or use --force`,
      );
  }
}

async function write(
  folder: string,
  files: readonly { readonly path: string; readonly text: string }[],
): Promise<void> {
  try {
    await makeFolder(folder, 0o700);
    for (const { path, text } of files) await writeFile(path, text, { mode: 0o600 });
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new AgentError('config.unwritable', `the files cannot be written to ${folder} (${reason})`, {
      cause,
    });
  }
}
