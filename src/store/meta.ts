import { randomBytes } from 'node:crypto';
import { AgentError } from '../core/errors.ts';
import { type Crypt, keyName } from './crypt.ts';
import type { Keys } from './keys.ts';
import type { Link } from './redis.ts';
import { defineScript, runScript } from './script.ts';
import { knownStoreId, rememberStoreId } from './store-id.ts';

export interface StoreMeta {
  readonly storeId: string;
  /** Version of the shape of all records. */
  readonly schema: number;
  readonly masterKeyCheck: string;
}

export const schemaVersion = 1;

/** Field of `meta` that keeps everybody out until the last of a restore is written. */
export const restoringField = 'restoring';

/** KEYS: meta. ARGV: store id, schema, key check. Writes them if there is nothing yet; answers what stands. */
const metaScript = defineScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'storeId', ARGV[1], 'schema', ARGV[2], 'masterKeyCheck', ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'storeId', 'schema', 'masterKeyCheck')
`);

export interface MetaOptions {
  readonly link: Link;
  readonly keys: Keys;
  readonly crypt: Crypt;
  /** Remembers which store belongs to this machine; absent: any store is taken. */
  readonly dataDir?: string | undefined;
  /** The operator says that the loss of the former store is meant. */
  readonly acceptEmptyStore?: boolean | undefined;
}

/**
 * Makes sure that this store is ours, of our schema and under our master key, or begins a new one. Throws `store.lost`,
 * `store.schema` or `store.masterKey`; then nothing was changed.
 */
export async function claimStore(options: MetaOptions): Promise<StoreMeta> {
  const { link, keys, crypt, dataDir } = options;
  const { known, found } = await examineMeta(options);
  const meta = found ?? (await writeMeta(options));
  requireOurs(meta, { address: link.address, crypt });
  if (meta.masterKeyCheck !== crypt.keyCheck)
    await link.run((client) => client.hset(keys.meta, 'masterKeyCheck', crypt.keyCheck));
  if (dataDir !== undefined && known !== meta.storeId) await rememberStoreId(dataDir, meta.storeId);
  return { ...meta, masterKeyCheck: crypt.keyCheck };
}

/** As `claimStore`, but begins nothing. Without `crypt` the master key is not compared. */
export async function examineMeta({
  link,
  keys,
  crypt,
  dataDir,
  acceptEmptyStore,
}: Omit<MetaOptions, 'crypt'> & { readonly crypt?: Crypt | undefined }): Promise<{
  readonly known: string | undefined;
  readonly found: StoreMeta | undefined;
}> {
  const known = dataDir === undefined ? undefined : await knownStoreId(dataDir);
  const found = await readMeta(link, keys);
  if (known !== undefined && found?.storeId !== known && acceptEmptyStore !== true)
    throw new AgentError(
      'store.lost',
      `Redis at ${link.address} holds ${found === undefined ? 'no store' : 'another store'}, but ${dataDir} belongs to store ${known}`,
    );
  if (found !== undefined) requireOurs(found, { address: link.address, crypt });
  return { known, found };
}

/** As good as lost until it is whole, for whoever begins on it orders anew what is not there yet. */
function partOfStore({ address }: Link): AgentError {
  return new AgentError('store.lost', `a restore into Redis at ${address} is under way, or was broken off`, {
    advice: 'Wait for its end; if none runs, run it again: "acme-agent restore FILE --force".',
  });
}

/** undefined: there is no store under this prefix. Throws `store.lost` where there is a part of one. */
export async function readMeta(link: Link, keys: Keys): Promise<StoreMeta | undefined> {
  const [restoring, ...fields] = await link.run((client) =>
    client.hmget(keys.meta, restoringField, 'storeId', 'schema', 'masterKeyCheck'),
  );
  if (typeof restoring === 'string') throw partOfStore(link);
  return toMeta(fields);
}

async function writeMeta({ link, keys, crypt }: MetaOptions): Promise<StoreMeta> {
  const args = [randomBytes(16).toString('hex'), schemaVersion, crypt.keyCheck];
  const fields = await link.run((client) => runScript(client, metaScript, { keys: [keys.meta], args }));
  const meta = toMeta(fields as readonly (string | null)[]);
  if (meta === undefined)
    throw new AgentError('store.schema', `the store at ${link.address} has a broken "meta"`);
  return meta;
}

function toMeta([storeId, schema, masterKeyCheck]: readonly (string | null)[]): StoreMeta | undefined {
  if (typeof storeId !== 'string') return undefined;
  return { storeId, schema: Number(schema), masterKeyCheck: masterKeyCheck ?? '' };
}

function requireOurs(
  meta: StoreMeta,
  { address, crypt }: { address: string; crypt: Crypt | undefined },
): void {
  if (meta.schema !== schemaVersion)
    throw new AgentError(
      'store.schema',
      `the store at ${address} has schema ${meta.schema}, this version of acme-agent works with ${schemaVersion}`,
    );
  if (crypt?.knows(meta.masterKeyCheck) === false) {
    const [wanted, given] = [keyName(meta.masterKeyCheck), keyName(crypt.keyCheck)];
    const message = `the store at ${address} was made with the master key ${wanted}, this one is ${given}`;
    throw new AgentError('store.masterKey', message);
  }
}
