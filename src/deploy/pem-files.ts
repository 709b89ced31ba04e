import type { Bundle } from '../core/types.ts';
import { writePem } from '../x509/pem.ts';

/** One certificate as the texts that servers read. */
export interface PemFiles {
  readonly 'cert.pem': string;
  readonly 'chain.pem': string;
  readonly 'fullchain.pem': string;
  readonly 'privkey.pem': string;
  /** Key, then chain. */
  readonly 'combined.pem': string;
}

/** A certificate with its chain, and its key. */
export interface PemPair {
  readonly cert: string;
  readonly key: string;
}

export function pemPair(bundle: Bundle): PemPair {
  const pem = pemFiles(bundle);
  return { cert: pem['fullchain.pem'], key: pem['privkey.pem'] };
}

export function pemFiles(bundle: Bundle): PemFiles {
  const cert = writePem(bundle.leafDer);
  const chain = bundle.chainDer.map((der) => writePem(der)).join('');
  const key = writePem(bundle.privateKey.reveal(), 'PRIVATE KEY');
  return {
    'cert.pem': cert,
    // Servers refuse an empty file of issuers; a self-signed certificate is its own.
    'chain.pem': chain === '' ? cert : chain,
    'fullchain.pem': cert + chain,
    'privkey.pem': key,
    'combined.pem': key + cert + chain,
  };
}
