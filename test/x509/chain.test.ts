import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { isAgentError } from '../../src/core/errors.ts';
import type { Secret } from '../../src/core/secret.ts';
import { createPki } from '../../src/x509/index.ts';
import { readPem, writePem } from '../../src/x509/pem.ts';
import { makeCa, makeRoot, type OpensslCa, sign } from './openssl.ts';

const pki = createPki();
const names = ['example.com', '*.example.com'];
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const now = Date.now();

let privateKey: Secret<Uint8Array>;
let csr: Uint8Array;
let root: OpensslCa;
let middle: OpensslCa;
let leaf: string;

beforeAll(async () => {
  privateKey = await pki.generateKey('p256');
  csr = pki.createCsr(names, privateKey);
  root = makeRoot('Root');
  middle = makeCa('Middle', root);
  leaf = sign(csr, middle);
});

function read(...pems: readonly string[]) {
  return pki.readIssued(pems.join(''), { names, privateKey, now });
}

/** The sentence with which it was refused. */
function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isAgentError(error, 'order.certificate')) return error.message;
    throw error;
  }
  throw new Error('it was accepted');
}

function derOf(pem: string): Buffer {
  return readPem(pem)[0] ?? Buffer.alloc(0);
}

describe('a chain as CAs deliver it', () => {
  test('gives the facts, the leaf and its issuers without the root', () => {
    const facts = read(leaf, middle.pem, root.pem);
    expect(facts).toMatchObject({ names, issuerName: 'Middle', keyType: 'p256', serial: '87654321' });
    expect(derOf(leaf).equals(facts.leafDer)).toBe(true);
    expect(facts.chainDer.map((one) => derOf(middle.pem).equals(one))).toEqual([true]);
    expect(facts.notAfter - facts.notBefore).toBe(90 * dayMs);
  });

  test('may be out of order, repeat itself, or carry what does not belong to it', () => {
    const expected = read(leaf, middle.pem);
    const stranger = makeCa('Stranger', makeRoot('Other'));
    expect(read(root.pem, middle.pem, leaf)).toEqual(expected);
    expect(read(leaf, middle.pem, middle.pem)).toEqual(expected);
    expect(read('# chain\r\n', leaf, stranger.pem, middle.pem)).toEqual(expected);
  });

  test('may be the leaf alone, or the leaf and its root', () => {
    expect(read(leaf).chainDer).toEqual([]);
    expect(read(sign(csr, root), root.pem).chainDer).toEqual([]);
  });

  test('may be long', () => {
    const lower = makeCa('Lower', middle);
    expect(read(sign(csr, lower), lower.pem, middle.pem, root.pem).chainDer).toHaveLength(2);
  });

  test('is the same for names in another order or case', () => {
    const wanted = { names: ['*.EXAMPLE.com', 'example.com'], privateKey, now };
    expect(pki.readIssued(leaf + middle.pem, wanted).names).toEqual(names);
  });
});

describe('refused is', () => {
  test('what is not PEM', () => {
    expect(refusal(() => read('<html>'))).toMatch(/no PEM/);
    expect(refusal(() => read(writePem(Buffer.from('junk'))))).toMatch(/block 1 .* not an X.509/);
    expect(refusal(() => read(...Array<string>(11).fill(leaf)))).toMatch(/11 certificates/);
  });

  test('a certificate for another key', async () => {
    const other = await pki.generateKey('p256');
    const run = () => pki.readIssued(leaf + middle.pem, { names, privateKey: other, now });
    expect(refusal(run)).toMatch(/key of the order/);
  });

  test('a certificate that lacks a name or holds one more', () => {
    const more = { names: [...names, 'b.example.com'], privateKey, now };
    const fewer = { names: ['example.com'], privateKey, now };
    expect(refusal(() => pki.readIssued(leaf, more))).toBe('the certificate lacks b.example.com');
    expect(refusal(() => pki.readIssued(leaf, fewer))).toMatch(/also holds \*\.example\.com/);
  });

  test('a CA certificate for our key', () => {
    const extensions = [
      'basicConstraints=critical,CA:true',
      'subjectAltName=DNS:example.com,DNS:*.example.com',
    ];
    expect(refusal(() => read(sign(csr, middle, { extensions }), middle.pem))).toMatch(/that of a CA/);
  });

  test('a chain of another CA', () => {
    const other = makeCa('Elsewhere', root);
    expect(refusal(() => read(leaf, other.pem))).toMatch(/does not hold the certificate of Middle/);
  });

  test('a chain of a CA of the same name with another key', () => {
    const impostor = makeCa('Middle', root);
    expect(refusal(() => read(leaf, impostor.pem))).toMatch(/signature of Middle .* not valid/);
  });

  test('an issuer that is no CA', () => {
    const extensions = ['basicConstraints=critical,CA:false'];
    const plain = makeCa('Middle', root, { keyPem: middle.keyPem, extensions });
    expect(refusal(() => read(leaf, plain.pem))).toMatch(/Middle is not that of a CA/);
  });

  test('issuers that issue each other', () => {
    const a = makeCa('A', root);
    const b = makeCa('B', a);
    const aByB = makeCa('A', b, { keyPem: a.keyPem });
    expect(refusal(() => read(sign(csr, b), b.pem, aByB.pem))).toMatch(/circle/);
  });

  test('what is not valid yet or any more, with an hour for the clocks', () => {
    const at = (instant: number) => () =>
      pki.readIssued(leaf + middle.pem, { names, privateKey, now: instant });
    const { notBefore, notAfter } = read(leaf);
    const short = makeCa('Middle', root, { keyPem: middle.keyPem, days: 1 });
    at(notBefore - hourMs)();
    expect(refusal(at(notBefore - hourMs - 1000))).toMatch(/the certificate is not valid before/);
    const late = (instant: number) => () => pki.readIssued(leaf, { names, privateKey, now: instant });
    late(notAfter + hourMs)();
    expect(refusal(late(notAfter + hourMs + 1))).toMatch(/the certificate expired at/);
    const old = () => pki.readIssued(leaf + short.pem, { names, privateKey, now: now + 2 * dayMs });
    expect(refusal(old)).toMatch(/a certificate of the chain expired at/);
  });

  test('any change of a byte of the leaf, with an error of ours', () => {
    const good = derOf(leaf);
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (index, mask) => {
        const bad = Buffer.from(good);
        bad[index] = (bad[index] ?? 0) ^ mask;
        refusal(() => read(writePem(bad), middle.pem));
      }),
      { numRuns: 500 },
    );
  });
});
