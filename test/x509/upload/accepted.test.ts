import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { secret } from '../../../src/core/secret.ts';
import type { HandedIn } from '../../../src/core/types.ts';
import { readUpload } from '../../../src/x509/upload/read.ts';
import { forge, forgedAt, issuerAt, keyDer, keyPem, newKey, rsaKey } from '../../support/forge.ts';
import { openssl } from '../openssl.ts';
import {
  block,
  chain,
  handIn,
  intermediate,
  key,
  leaf,
  leafWith,
  names,
  pkcs12,
  root,
  whole,
  withChain,
} from './pki.ts';

const rootLeft = 'The root Test Root was left out: servers do not send it.';
const ordered = 'The chain was put in order.';

function read(files: HandedIn) {
  return readUpload(files, { now: forgedAt });
}

/** That nothing got lost on the way: the certificate, its chain and its key. */
function expectWhole(files: HandedIn, notes: readonly string[] = [rootLeft]): void {
  const { facts, privateKey, missing, notes: said } = read(files);
  expect(Buffer.from(facts.leafDer)).toEqual(leaf.der);
  expect(facts.chainDer.map((der) => Buffer.from(der))).toEqual([intermediate.der]);
  expect(Buffer.from(privateKey.reveal())).toEqual(keyDer(leaf.key));
  expect(facts).toMatchObject({ names, issuerName: 'Test CA', keyType: 'p256' });
  expect(missing).toBeUndefined();
  expect(said).toEqual(notes);
}

const p7b = (pem: string, form: string) => {
  const base64 = openssl(
    ['crl2pkcs7', '-nocrl', '-certfile', 'in', '-outform', form, '-out', 'p7'],
    pem,
    'p7',
  );
  return Buffer.from(base64, 'base64');
};
const encrypted = secret(
  leaf.key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open' }).toString(),
).reveal();
const sec1 = secret(leaf.key.export({ type: 'sec1', format: 'pem' }).toString()).reveal();
const comment = 'Bag Attributes\n    friendlyName: Größe — \x07\nsubject=CN = www.example.com\n';

const forms: readonly (readonly [name: string, files: HandedIn, notes?: readonly string[]])[] = [
  ['as one bundle', handIn(whole)],
  ['as two files', handIn(leaf.pem + chain, { key })],
  ['as three files', handIn(leaf.pem, { key, chain })],
  ['with the line ends of Windows', handIn(whole.replaceAll('\n', '\r\n'))],
  ['with the line ends of old Macs', handIn(whole.replaceAll('\n', '\r'))],
  ['with a byte order mark', handIn(`\ufeff${whole}`)],
  ['as UTF-16 of Windows', handIn(Buffer.from(`\ufeff${whole}`, 'utf16le'))],
  ['as UTF-16 of the other order', handIn(Buffer.from(`\ufeff${whole}`, 'utf16le').swap16())],
  ['with comments around the blocks', handIn(whole.replaceAll('-----BEGIN', `${comment}-----BEGIN`))],
  ['without a line break at its end', handIn(whole.trimEnd())],
  ['indented, as in YAML', handIn(whole.replaceAll('\n', '   \n    '))],
  ['in lines of any length', handIn(whole.replace(/(?<=[\w+/=])\n(?=[\w+/=])/g, ''))],
  ['with the label of old', handIn(whole.replaceAll(' CERTIFICATE-', ' X509 CERTIFICATE-'))],
  ['with the parameters of its curve', handIn(leaf.pem + chain + block('EC PARAMETERS') + sec1)],
  ['with the key first', handIn(key + leaf.pem + chain)],
  ['with the key twice', handIn(whole, { key })],
  ['with certificates that are repeated', handIn(leaf.pem + whole, { chain })],
  ['with the chain upside down', handIn(root.pem + intermediate.pem + leaf.pem + key), [ordered, rootLeft]],
  ['with the leaf last', handIn(chain + leaf.pem + key), [ordered, rootLeft]],
  [
    'with a CA that is none of its own',
    handIn(whole + forge({ subject: 'Stray CA', isCa: true }).pem),
    [rootLeft, 'Stray CA was left out: it is not part of the chain.'],
  ],
  ['with a key closed by a password', handIn(leaf.pem + chain, { key: encrypted, password: 'open' })],
  [
    'with a key closed as before PKCS #8',
    handIn(leaf.pem + chain + openssl(['ec', '-aes256', '-in', 'in', '-passout', 'pass:open'], key), {
      password: 'open',
    }),
  ],
  ['as DER', handIn(leaf.der, { key: keyDer(leaf.key), chain })],
  [
    'with a key in the DER of its curve',
    handIn(leaf.der, { key: leaf.key.export({ type: 'sec1', format: 'der' }), chain }),
  ],
  ['with its chain as PKCS #7', handIn(leaf.pem, { key, chain: p7b(chain, 'DER') })],
  [
    'with all certificates as PKCS #7 in PEM',
    handIn(p7b(root.pem + intermediate.pem + leaf.pem, 'PEM'), { key }),
    [ordered, rootLeft],
  ],
  ['as PKCS #12', handIn(pkcs12(whole), { password: 'open' })],
  ['as PKCS #12 without a password', handIn(pkcs12(whole, ['-passout', 'pass:']))],
  ['as PKCS #12 with an empty password', handIn(pkcs12(whole, ['-passout', 'pass:']), { password: '' })],
  [
    'as PKCS #12 that is not encrypted',
    handIn(pkcs12(whole, ['-keypbe', 'NONE', '-certpbe', 'NONE']), { password: 'open' }),
  ],
  ['as PKCS #12 without a MAC', handIn(pkcs12(whole, ['-nomac']), { password: 'open' })],
  [
    'as PKCS #12 of many rounds',
    handIn(pkcs12(whole, ['-iter', '100000', '-macalg', 'sha1']), { password: 'open' }),
  ],
  [
    'as PKCS #12 with AES-128 and SHA-512',
    handIn(pkcs12(whole, ['-keypbe', 'AES-128-CBC', '-certpbe', 'AES-192-CBC', '-macalg', 'sha512']), {
      password: 'open',
    }),
  ],
  [
    'as PKCS #12 with an umlaut in the password',
    handIn(pkcs12(whole, ['-passout', 'pass:Tür']), { password: 'Tür' }),
  ],
];

describe('an upload is taken', () => {
  it.each(forms.map(([name, files, notes]) => ({ name, files, notes })))('$name', ({ files, notes }) => {
    expectWhole(files, notes);
  });

  it.each([
    ['RSA of 2048 bits', rsaKey(2048), 'rsa2048'],
    ['RSA of 4096 bits', rsaKey(4096), 'rsa4096'],
    ['P-384', newKey('P-384'), 'p384'],
  ])('with %s', (_, anyKey, keyType) => {
    const { facts, privateKey } = read(withChain(leafWith({ key: anyKey })));
    expect(facts.keyType).toBe(keyType);
    const loaded = createPrivateKey({ key: Buffer.from(privateKey.reveal()), format: 'der', type: 'pkcs8' });
    expect(new X509Certificate(facts.leafDer).checkPrivateKey(loaded)).toBe(true);
  });

  it('with an RSA key in PKCS #1, PEM and DER', () => {
    const one = leafWith({ key: rsaKey(2048) });
    const pkcs1 = { type: 'pkcs1', format: 'der' } as const;
    const pem = block('RSA PRIVATE KEY', secret(one.key.export(pkcs1)).reveal());
    for (const given of [pem, one.key.export(pkcs1)])
      expect(read(handIn(one.pem, { key: given, chain })).facts.keyType).toBe('rsa2048');
  });

  it('without the names that cannot be served, which is told', () => {
    const { facts, notes } = read(withChain(leafWith({ names: ['www.example.com', 'localhost'] })));
    expect(facts.names).toEqual(['www.example.com']);
    expect(notes).toContain('1 of its names cannot be served, and count for nothing.');
  });

  it('with what it lacks told, and where that is to be had', () => {
    const url = 'http://ca.example/intermediate.cer';
    const one = leafWith({ extensions: [issuerAt(url)] });
    const { missing } = read(handIn(one.pem + keyPem(one.key)));
    expect(missing).toEqual({ issuerName: 'Test CA', of: 'www.example.com', url });
    const more = [intermediate.der, root.der];
    const mended = readUpload(handIn(one.pem + keyPem(one.key)), { now: forgedAt, more });
    expect(mended.missing).toBeUndefined();
    expect(mended.facts.chainDer.map((der) => Buffer.from(der))).toEqual([intermediate.der]);
  });

  it('with an intermediate that an expired one of the same name and key stands beside', () => {
    const day = 86_400_000;
    const past = forge({
      subject: 'Test CA',
      issuer: root,
      isCa: true,
      key: intermediate.key,
      notAfter: forgedAt - day,
    });
    const { facts, notes } = read(handIn(leaf.pem + past.pem + chain + key));
    expect(facts.chainDer.map((der) => Buffer.from(der))).toEqual([intermediate.der]);
    expect(notes).toContain('Test CA was left out: it is not part of the chain.');
  });

  it('whatever was tried before: a refused key leaves nothing behind', () => {
    expect(() => read(handIn(leaf.pem + chain, { key: keyPem(rsaKey(2048)) }))).toThrow();
    expectWhole(handIn(whole));
  });
});
