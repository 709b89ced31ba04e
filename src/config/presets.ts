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
