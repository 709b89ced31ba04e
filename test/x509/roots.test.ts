import { rootCertificates } from 'node:tls';
import { expect, it } from 'vitest';
import { readCertificate } from '../../src/x509/certificate.ts';
import { readPem } from '../../src/x509/pem.ts';
import { isOfPublicRoot } from '../../src/x509/roots.ts';
import { forge, newKey } from '../support/forge.ts';

const roots = rootCertificates.flatMap((pem) => readPem(pem)).map(readCertificate);

it('what a root that browsers know has signed is of it', () => {
  expect(roots.length).toBeGreaterThan(50);
  // Each of them has signed itself; some with algorithms that are refused today.
  expect(roots.filter(isOfPublicRoot).length).toBeGreaterThan(50);
});

it('what only names such a root as its issuer is not', () => {
  const [first] = roots;
  if (first === undefined) throw new Error('Node ships no roots');
  const namesake = forge({ subject: 'CA', isCa: true, issuer: { name: first.subject, key: newKey() } });
  expect(readCertificate(namesake.der).issuer).toEqual(first.subject);
  expect(isOfPublicRoot(readCertificate(namesake.der))).toBe(false);
});
