import type { HandedIn } from '../../../../src/core/types.ts';
import { type Forged, forge, forgedAt, keyPem, newKey } from '../../../support/forge.ts';
import { handIn, intermediate, key, leaf, leafWith, root } from '../pki.ts';
import { cases, type Malformed } from './case.ts';

const day = 86_400_000;

/** Chains that are not whole, or hold what cannot be in them. */
export function malformedChains(): readonly Malformed[] {
  const ca = (more: Partial<Parameters<typeof forge>[0]>) =>
    forge({ subject: 'Test CA', issuer: root, isCa: true, key: intermediate.key, ...more });
  const chained = (...others: readonly Forged[]) =>
    handIn([leaf, ...others].map(({ pem }) => pem).join('') + key);
  const [one, two] = [newKey(), newKey()];
  const a = forge({ subject: 'A', issuer: { name: 'B', key: two }, isCa: true, key: one });
  const b = forge({ subject: 'B', issuer: { name: 'A', key: one }, isCa: true, key: two });
  const circle = leafWith({ issuer: a });
  const ladder = towerOf(12);
  const missing = (of: string, issuer: string) =>
    `the chain is not whole: the certificate of ${issuer}, which issued that of ${of}, is missing; add it to the chain. If it is a root of your own, add it too: it is not sent to clients`;
  return cases([
    ['no intermediate', chained(root), missing('www.example.com', 'Test CA')],
    ['no root of a private CA', chained(intermediate), missing('Test CA', 'Test Root')],
    [
      'an expired intermediate',
      chained(ca({ notAfter: forgedAt - day }), root),
      "the chain's certificate of Test CA expired at 2026-11-19T12:00:00.000Z; take the present chain of your CA",
    ],
    [
      'an intermediate of tomorrow',
      chained(ca({ notBefore: forgedAt + day }), root),
      "the chain's certificate of Test CA is not valid before 2026-11-21T12:00:00.000Z",
    ],
    [
      'an intermediate that is none',
      chained(ca({ isCa: false }), root),
      "the chain's certificate of Test CA is not that of a CA, and cannot have issued that of www.example.com",
    ],
    [
      'a namesake of the intermediate',
      chained(ca({ key: newKey() }), root),
      "the chain's certificate of Test CA did not issue that of www.example.com: it has the same name and another key",
    ],
    [
      'an intermediate signed with SHA-1',
      chained(ca({ hash: 'sha1' }), root),
      'the certificate of Test CA is signed with SHA-1, which no client takes any more',
    ],
    [
      'a circle',
      handIn(circle.pem + a.pem + b.pem + keyPem(circle.key)),
      'the certificates of the chain issue each other in a circle',
    ],
    ['a long chain', ladder, 'the chain has more than 10 certificates'],
  ]);
}

/** A chain of so many CAs, each below the next. */
function towerOf(height: number): HandedIn {
  const cas: Forged[] = [forge({ subject: 'level 0', isCa: true })];
  for (let level = 1; level < height; level++) {
    const issuer = cas.at(-1);
    cas.push(forge({ subject: `level ${level}`, issuer, isCa: true }));
  }
  const top = leafWith({ issuer: cas.at(-1) });
  return handIn(top.pem + cas.map(({ pem }) => pem).join('') + keyPem(top.key));
}
