import { randomBytes } from 'node:crypto';
import type { Staged, Staging } from '../core/ports.ts';
import { type Secret, secret } from '../core/secret.ts';
import type { HandedIn, LineageId } from '../core/types.ts';
import type { Base } from './base.ts';
import { decode, encode } from './codec.ts';

export const stagingLifeMs = 15 * 60_000;

const usedMark = 'used ';

/** Sealed ones begin with a byte that is no letter. */
export function usedFor(lineage: LineageId): string {
  return `${usedMark}${lineage}`;
}

/** What was handed in, for the quarter of an hour until its command is carried out. */
export function createStaging({ link, keys, crypt }: Base): Staging {
  return {
    put: async (files) => {
      const id = randomBytes(18).toString('base64url');
      const sealed = crypt.sealBytes(Buffer.from(encode(plainOf(files))), `staging:${id}`);
      await link.run((client) => client.set(keys.staging(id), sealed, 'PX', stagingLifeMs));
      return id;
    },
    get: async (id): Promise<Staged | undefined> => {
      const stored = await link.run((client) => client.getBuffer(keys.staging(id)));
      if (stored === null) return undefined;
      const text = stored.toString('latin1');
      if (text.startsWith(usedMark)) return { usedFor: text.slice(usedMark.length) };
      return {
        files: filesOf(
          decode<Plain>(crypt.openBytes(stored, `staging:${id}`).toString(), 'what was handed in'),
        ),
      };
    },
  };
}

/** Base64. */
type Plain = { readonly [Part in keyof HandedIn]?: string };

function plainOf({ certificate, key, chain, password }: HandedIn): Plain {
  const text = (part: Secret<Uint8Array> | undefined) =>
    part && Buffer.from(part.reveal()).toString('base64');
  const words = password && Buffer.from(password.reveal()).toString('base64');
  return { certificate: text(certificate), key: text(key), chain: text(chain), password: words };
}

function filesOf({ certificate = '', key, chain, password }: Plain): HandedIn {
  const file = (text: string) => secret<Uint8Array>(Buffer.from(text, 'base64'));
  return {
    certificate: file(certificate),
    key: key === undefined ? undefined : file(key),
    chain: chain === undefined ? undefined : file(chain),
    password: password === undefined ? undefined : secret(Buffer.from(password, 'base64').toString()),
  };
}
