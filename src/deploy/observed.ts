import { createPrivateKey } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError } from '../core/errors.ts';
import type { DeployedPem } from '../core/ports.ts';
import { secret } from '../core/secret.ts';
import { type Access, isGiven } from './access.ts';
import { readIfThere } from './fault.ts';
import { pairFingerprint } from './fingerprint.ts';
import { currentGeneration, directoryOf } from './generations.ts';
import type { SlotPath } from './slot-path.ts';

/**
 * Fingerprint of the leaf that a reader of the link gets now (SHA-256 of its DER, lower-case hex); undefined: nothing
 * is there. Throws `deploy.mismatch` when the files do not belong together or are no certificate and key.
 */
export async function readObserved(path: SlotPath): Promise<string | undefined> {
  const generation = await currentGeneration(path);
  if (generation === undefined) return undefined;
  const directory = directoryOf(path, generation);
  const fullchain = await readIfThere(join(directory, 'fullchain.pem'));
  const combined = await readIfThere(join(directory, 'combined.pem'));
  if (fullchain === undefined && combined === undefined) return undefined;
  return seenIn(path, fullchain ?? '', combined ?? '');
}

/** Certificate, chain and key as a reader of the link gets them now; undefined: nothing is there. */
export async function readDeployed(path: SlotPath): Promise<DeployedPem | undefined> {
  const generation = await currentGeneration(path);
  const combined =
    generation === undefined
      ? undefined
      : await readIfThere(join(directoryOf(path, generation), 'combined.pem'));
  return combined === undefined ? undefined : deployedIn(combined);
}

/** Key, then chain, in one text. */
export function deployedIn(combined: string): DeployedPem {
  const privateKey = secret<Uint8Array>(createPrivateKey(combined).export({ type: 'pkcs8', format: 'der' }));
  return { chainPem: combined.slice(combined.indexOf('-----BEGIN CERTIFICATE-----')), privateKey };
}

/** Whether this generation holds exactly these files, with the wanted mode and owner. */
export async function holds(
  path: SlotPath,
  generation: number,
  wanted: { readonly files: Readonly<Record<string, string>>; readonly access: Access },
): Promise<boolean> {
  const directory = directoryOf(path, generation);
  for (const [name, content] of Object.entries(wanted.files)) {
    const file = join(directory, name);
    if ((await readIfThere(file)) !== content) return false;
    if (!isGiven(await stat(file), wanted.access.fileMode, wanted.access)) return false;
  }
  return true;
}

function seenIn(path: SlotPath, fullchain: string, combined: string): string {
  const [plain, withKey] = [fullchain, combined].map((cert) => pairFingerprint({ cert, key: combined }));
  if (plain !== undefined && plain === withKey) return plain;
  const message = `${path.link}: the certificate and key there do not belong together or cannot be read`;
  throw new AgentError('deploy.mismatch', message, { facts: { path: path.link } });
}
