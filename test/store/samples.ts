import { randomBytes } from 'node:crypto';
import type { JournalEntry, Log, Notice } from '../../src/core/ports.ts';
import { secret } from '../../src/core/secret.ts';
import type { Bundle, Domain, Host, Issuance, Lineage, WantedSpec } from '../../src/core/types.ts';

export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
};

export function masterKey() {
  return secret<Uint8Array>(randomBytes(32));
}

export const wanted: WantedSpec = {
  names: ['www.example.com'],
  keyType: 'p256',
  issuers: ['letsencrypt'],
  challenge: 'http-01',
};

export function domain(name: string, more: Partial<Domain> = {}): Domain {
  return {
    name,
    mode: 'auto',
    issuers: ['letsencrypt'],
    keyTypes: ['p256'],
    deploy: ['web'],
    notify: ['mail'],
    contacts: [],
    origin: { kind: 'runtime' },
    ...more,
  };
}

export function host(name: string, of: string): Host {
  return { name, domain: of, origin: { kind: 'file', line: 3 }, addedAt: 1_000 };
}

export function lineage(id: string, of = 'example.com'): Lineage {
  return {
    id,
    source: 'acme',
    domain: of,
    policy: `${of}/www`,
    label: 'www',
    wanted,
    createdAt: 1_000,
    generations: [],
  };
}

export function bundle(
  id: string,
  generation: number,
  chainDer: readonly Uint8Array[] = [randomBytes(1_000)],
): Bundle {
  return {
    certificate: {
      lineage: id,
      generation,
      source: 'acme',
      names: ['www.example.com'],
      issuer: 'letsencrypt',
      issuerName: 'R10',
      keyType: 'p256',
      serial: `0${generation}`,
      notBefore: 0,
      notAfter: 90 * 86_400_000,
      fingerprint: randomBytes(32).toString('hex'),
      issuedAt: 1_000,
      wanted,
    },
    leafDer: randomBytes(900),
    chainDer,
    privateKey: secret<Uint8Array>(randomBytes(138)),
  };
}

export function issuance(id: string): Issuance {
  return {
    lineage: id,
    wanted,
    names: wanted.names,
    issuer: 'letsencrypt',
    privateKey: secret<Uint8Array>(randomBytes(138)),
    csrDer: randomBytes(300),
    startedAt: 1_000,
    presented: {},
  };
}

export function journalEntry(id: string, more: Partial<JournalEntry> = {}): JournalEntry {
  return {
    id,
    account: 'main',
    zone: 'example.com',
    name: '_acme-challenge.example.com',
    value: 'v1',
    state: 'intent',
    lineage: 'example.com/www/ec',
    createdAt: 1_000,
    leaseUntil: 5_000,
    ...more,
  };
}

export function notice(id: string, at: number): Notice {
  return {
    id,
    kind: 'failed',
    at,
    domain: 'example.com',
    names: ['www.example.com'],
    recipients: [],
    message: 'why',
  };
}
