import { suggestion } from './suggest.ts';

/** A CA that is known by name. */
export interface Preset {
  readonly directoryUrl: string;
  /** The CA opens accounts only for its own customers: `eab` must be given. */
  readonly needsEab: boolean;
}

/** Directories of public CAs. SSL.com has one for each kind of key. */
export const presets = {
  letsencrypt: { directoryUrl: 'https://acme-v02.api.letsencrypt.org/directory', needsEab: false },
  'letsencrypt-staging': {
    directoryUrl: 'https://acme-staging-v02.api.letsencrypt.org/directory',
    needsEab: false,
  },
  zerossl: { directoryUrl: 'https://acme.zerossl.com/v2/DV90', needsEab: true },
  google: { directoryUrl: 'https://dv.acme-v02.api.pki.goog/directory', needsEab: true },
  sslcom: { directoryUrl: 'https://acme.ssl.com/sslcom-dv-ecc', needsEab: true },
  'sslcom-rsa': { directoryUrl: 'https://acme.ssl.com/sslcom-dv-rsa', needsEab: true },
} as const satisfies Readonly<Record<string, Preset>>;

export type PresetName = keyof typeof presets;

export function isPreset(name: string): name is PresetName {
  return Object.hasOwn(presets, name);
}

export const buypassIsGone =
  'Buypass has closed its ACME service (last certificate on 31 October 2025): use another issuer, such as "preset: letsencrypt"';

export function isBuypass(directory: string): boolean {
  return URL.canParse(directory) && /(^|\.)buypass\.(com|no)$/.test(new URL(directory).hostname);
}

/** Why there is no such preset, in words. */
export function refusedPreset(name: string): string {
  if (name.toLowerCase().startsWith('buypass')) return buypassIsGone;
  const near = suggestion(name, Object.keys(presets), ['known', 'or give the directory URL of the CA']);
  return `there is no preset "${name}"${near}`;
}
