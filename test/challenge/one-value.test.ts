import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createDns01Solver } from '../../src/challenge/dns01.ts';
import { systemClock } from '../../src/clock.ts';
import { authorize } from '../../src/core/order/authorize.ts';
import type { AcmeAuthorization, AcmeOrder, AcmeSession } from '../../src/core/ports.ts';
import { secret } from '../../src/core/secret.ts';
import type { Issuance } from '../../src/core/types.ts';
import { aDomain, wanted } from '../core/given.ts';
import { apex, createStage, never } from '../dns/stage.ts';

type Name = 'apex' | 'wildcard';

/** A CA that accepts a challenge only while its value stands alone at the name. */
function createPickyCa(valuesAtName: () => readonly string[]) {
  const valid = new Set<string>();
  const seen: number[] = [];
  const unused = () => Promise.reject(new Error('not part of this story'));
  const authorization = (name: Name): AcmeAuthorization => {
    const status = valid.has(name) ? 'valid' : 'pending';
    return {
      ...{ url: name, status, wildcard: name === 'wildcard', expires: Date.now() + 3_600_000 },
      identifier: { type: 'dns', value: 'example.test' },
      challenges: [{ type: 'dns-01', url: name, status, token: name }],
    };
  };
  const order = (): AcmeOrder => ({
    ...{ url: 'order', identifiers: [], authorizations: ['apex', 'wildcard'], finalize: 'finalize' },
    status: valid.size === 2 ? 'ready' : 'pending',
  });
  const session: AcmeSession = {
    ...{ issuer: 'ca', accountUrl: 'account', profiles: [], hasRenewalInfo: false, caaIdentities: [] },
    ...{ newOrder: unused, finalize: unused, certificate: unused, revoke: unused },
    keyAuthorization: (token) => `${token}.thumbprint`,
    order: async () => order(),
    authorization: async (url) => authorization(url === 'apex' ? 'apex' : 'wildcard'),
    respond: async (url) => {
      const digest = createHash('sha256').update(`${url}.thumbprint`).digest('base64url');
      const values = valuesAtName();
      seen.push(values.length);
      if (values.length === 1 && values[0] === digest) valid.add(url);
    },
  };
  return { session, order, seen };
}

test('apex and wildcard are authorized in one order at a vendor with room for one value a name', async () => {
  const stage = await createStage({ traits: { maxValuesPerName: 1 } });
  const solver = createDns01Solver(stage.agent(), { clock: systemClock });
  const { session, order, seen } = createPickyCa(() => stage.zones.txt(apex));
  let issuance: Issuance = {
    names: wanted.names,
    ...{ lineage: 'l', issuer: 'ca', startedAt: Date.now(), presented: {} },
    ...{ wanted: { ...wanted, challenge: 'dns-01' }, privateKey: secret(new Uint8Array()) },
    csrDer: new Uint8Array(),
  };
  const remember = async (presented: Issuance['presented']) => {
    issuance = { ...issuance, presented };
  };
  const needs = { solvers: { get: () => solver }, clock: systemClock, log: stage.log, remember };
  for (;;) {
    const work = { order: order(), session, issuance, domain: aDomain({ name: 'example.test' }) };
    const outcome = await authorize(work, needs, never);
    if (!('again' in outcome)) break;
    await systemClock.sleep(outcome.again - Date.now());
  }
  expect(seen).toEqual([1, 1]);
  expect(order().status).toBe('ready');
});
