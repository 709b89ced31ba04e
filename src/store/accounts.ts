import type { Accounts } from '../core/ports.ts';
import { backupMark } from './backup.ts';
import type { Base } from './base.ts';
import { decodeAccount, encodeAccount } from './codec.ts';
import type { DurableWriter } from './durable.ts';

/** ACME accounts by issuer; their keys are sealed. */
export function createAccounts({ link, keys, crypt, clock }: Base, durable: DurableWriter): Accounts {
  return {
    get: async (issuer) => {
      const text = await link.run((client) => client.hget(keys.accounts, issuer));
      return text === null ? undefined : decodeAccount(text, issuer, crypt);
    },
    put: async (record) => {
      const text = encodeAccount(record, crypt);
      await durable.run((client) =>
        Promise.all([
          client.hset(keys.accounts, record.issuer, text),
          client.zadd(keys.due, ...backupMark(clock.now())),
        ]),
      );
    },
  };
}
