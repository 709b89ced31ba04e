import { randomBytes } from 'node:crypto';
import { secret } from '../../../src/core/secret.ts';
import type { HandedIn } from '../../../src/core/types.ts';
import { unregistered } from '../../support/canaries.ts';
import { type Forged, forge, keyPem } from '../../support/forge.ts';
import { openssl } from '../openssl.ts';

/** Root, intermediate and a server's certificate, all well formed. */
export const root = forge({ subject: 'Test Root', isCa: true });
export const intermediate = forge({ subject: 'Test CA', issuer: root, isCa: true });
export const names = ['www.example.com', 'example.com'];
export const leaf = forge({ subject: 'www.example.com', issuer: intermediate, names });
export const other = forge({ subject: 'api.example.com', issuer: intermediate, names: ['api.example.com'] });
export const key = keyPem(leaf.key);
/** All that the chain needs: the root is private, so it has to be there. */
export const chain = intermediate.pem + root.pem;
export const whole = leaf.pem + chain + key;

type Content = string | Uint8Array;

/** Most of a file is public, and its key is registered. */
function file(content: Content) {
  return unregistered(() => secret<Uint8Array>(Buffer.from(content)));
}

/** As somebody hands it in. */
export function handIn(
  certificate: Content,
  more: { readonly key?: Content; readonly chain?: Content; readonly password?: string } = {},
): HandedIn {
  return {
    certificate: file(certificate),
    key: more.key === undefined ? undefined : file(more.key),
    chain: more.chain === undefined ? undefined : file(more.chain),
    password: more.password === undefined ? undefined : secret(more.password),
  };
}

/** A server's certificate of the usual chain that differs in something. */
export function leafWith(more: Partial<Parameters<typeof forge>[0]>): Forged {
  return forge({ subject: 'www.example.com', issuer: intermediate, names, ...more });
}

/** Handed in with its key and the usual chain. */
export function withChain(one: Forged, chainPem: string = chain): HandedIn {
  return handIn(one.pem + chainPem + keyPem(one.key));
}

/** Blocks of this label around any octets. */
export function block(label: string, octets: Uint8Array = randomBytes(120)): string {
  const base64 = Buffer.from(octets).toString('base64').replace(/.{64}/g, '$&\n');
  return `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`;
}

/** As `openssl pkcs12 -export` writes it, with the password "open". */
export function pkcs12(pem: string, args: readonly string[] = []): Buffer {
  const base64 = openssl(
    ['pkcs12', '-export', '-in', 'in', '-passout', 'pass:open', ...args, '-out', 'out.p12', '-name', 'x'],
    pem,
    'out.p12',
  );
  return Buffer.from(base64, 'base64');
}
