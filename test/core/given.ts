import { freshRenewal } from '../../src/core/records.ts';
import type {
  Certificate,
  Domain,
  Host,
  Lineage,
  RenewalState,
  Settings,
  WantedSpec,
} from '../../src/core/types.ts';

export const minute = 60_000;
export const hour = 60 * minute;
export const day = 24 * hour;
export const t0 = Date.UTC(2026, 10, 20);

export const wanted: WantedSpec = {
  names: ['www.example.com'],
  keyType: 'p256',
  issuers: ['first', 'second'],
  challenge: 'http-01',
};

export function aLineage(change: Partial<Lineage> = {}): Lineage {
  return {
    id: 'example.com/www.example.com/ec',
    source: 'acme',
    domain: 'example.com',
    policy: 'example.com/www.example.com',
    label: 'www.example.com',
    wanted,
    createdAt: t0,
    current: 1,
    generations: [1],
    ...change,
  };
}

export function aCertificate(change: Partial<Certificate> = {}): Certificate {
  return {
    lineage: 'example.com/www.example.com/ec',
    generation: 1,
    source: 'acme',
    names: ['www.example.com'],
    issuer: 'first',
    issuerName: 'Test CA',
    keyType: 'p256',
    serial: '01',
    notBefore: t0,
    notAfter: t0 + 90 * day,
    fingerprint: 'f1',
    issuedAt: t0,
    wanted,
    ...change,
  };
}

export function aState(change: Partial<RenewalState> = {}): RenewalState {
  return { ...freshRenewal('example.com/www.example.com/ec'), ...change };
}

export function aDomain(change: Partial<Domain> = {}): Domain {
  return {
    name: 'example.com',
    mode: 'auto',
    issuers: ['first', 'second'],
    keyTypes: ['p256'],
    deploy: [],
    notify: [],
    contacts: [],
    origin: { kind: 'runtime' },
    ...change,
  };
}

export function aHost(name: string, domain = 'example.com'): Host {
  return { name, domain, origin: { kind: 'runtime' }, addedAt: t0 };
}

export const settings: Settings = {
  issuers: ['first', 'second'],
  dnsAccounts: [
    { name: 'zone', zones: [], programmable: true },
    { name: 'person', zones: [], programmable: false },
  ],
  deployTargets: ['web'],
  notifiers: ['mail'],
  renewalCeilingMs: 30 * day,
  defaults: { mode: 'auto', issuers: ['first'], keyTypes: ['p256'], deploy: [], notify: [], contacts: [] },
};
