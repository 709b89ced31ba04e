import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FakeCa, type Fault, problem, startFakeCa } from './fake-ca.ts';
import { layer, type MemoryAccounts, memoryAccounts, memoryLocks, never } from './kit.ts';

const day = 86_400_000;
const order = { names: ['a.example.com'] };

let ca: FakeCa;
let accounts: MemoryAccounts;
const opened: ReturnType<typeof layer>[] = [];

beforeEach(async () => {
  ca = await startFakeCa();
  accounts = memoryAccounts();
});
afterEach(async () => {
  for (const { acme } of opened.splice(0)) await acme.close();
  await ca.stop();
});

/** A process of its own on the same store. */
async function started() {
  const config = { directoryUrl: ca.directoryUrl, trustPem: ca.trustPem, replaceDeactivatedAccount: true };
  const made = layer(config, { accounts, locks: memoryLocks() });
  opened.push(made);
  return made.acme.session('ca', never);
}

/** The process dies at its n-th write of the account from now, before it took effect or after. */
function dieAt(count: number, when: 'before' | 'after'): void {
  const { put } = accounts;
  let left = count;
  Object.assign(accounts, {
    put: async (record: Parameters<typeof put>[0]) => {
      const isLast = --left === 0;
      if (!isLast || when === 'after') await put(record);
      if (!isLast) return;
      Object.assign(accounts, { put });
      throw new Error('killed');
    },
  });
}

interface Book {
  readonly registrations: () => number;
  forget(): void;
  close(): void;
}

/** The CA keeps accounts by their keys. */
function keepBook(): Book {
  const urls = new Map<string, string>();
  const closed = new Set<string>();
  let count = 0;
  const account: Fault = (response, seen) => {
    const key = JSON.stringify(seen.protected.jwk);
    const isLookUp = JSON.stringify(seen.payload) === '{"onlyReturnExisting":true}';
    const url = urls.get(key);
    if (url === undefined && isLookUp) return problem(400, 'accountDoesNotExist')(response, seen);
    if (url !== undefined && closed.has(url)) return problem(403, 'unauthorized')(response, seen);
    if (url === undefined) urls.set(key, `${ca.url}/account/${++count}`);
    response.writeHead(201, { location: urls.get(key) }).end('{}');
  };
  const newOrder: Fault = (response, seen) => {
    const url = String(seen.protected.kid);
    if (closed.has(url)) return problem(403, 'unauthorized')(response, seen);
    if (![...urls.values()].includes(url)) return problem(400, 'accountDoesNotExist')(response, seen);
    response.writeHead(201, { location: `${ca.url}/order/1`, 'content-type': 'application/json' });
    response.end(JSON.stringify(ca.documents['/new-order']));
  };
  ca.fail('/new-account', ...Array<Fault>(50).fill(account));
  ca.fail('/new-order', ...Array<Fault>(50).fill(newOrder));
  return {
    registrations: () => count,
    forget: () => urls.clear(),
    close: () => {
      for (const url of urls.values()) closed.add(url);
    },
  };
}

describe.each([
  ['forgets', 'forget', 2],
  ['closes', 'close', 3],
] as const)('an account that the CA %s', (_, fate, writes) => {
  const deaths = Array.from(
    { length: writes },
    (_, index) => [index + 1, 'before', 'after'] as const,
  ).flatMap(([write, ...sides]) => sides.map((side) => [write, side] as const));

  test.each(deaths)(
    'is opened anew once a day, also by an agent killed at write %i, %s it',
    async (count, side) => {
      const book = keepBook();
      const first = await started();
      book[fate]();
      dieAt(count, side);
      await expect(first.newOrder(order, never)).rejects.toThrow('killed');
      await (await started()).newOrder(order, never);
      expect(book.registrations()).toBe(2);

      const last = await started();
      book[fate]();
      const { reregisteredAt = 0 } = accounts.records.get('ca') ?? {};
      const refusal = { code: 'acme.account', retryAt: reregisteredAt + day };
      await expect(last.newOrder(order, never)).rejects.toMatchObject(refusal);
      expect(book.registrations()).toBe(2);
    },
  );
});
