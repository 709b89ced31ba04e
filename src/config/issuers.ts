import type { IssuerConfig, ProxyUrl } from './config.ts';
import { readCertificates } from './pem.ts';
import { isPreset, presets } from './presets.ts';
import type { Reader } from './reader.ts';
import { disagreed, issuer } from './schema.ts';

/** `proxyUrl`: for the CAs that have none of their own. */
export function readIssuers(reader: Reader, proxyUrl: ProxyUrl | undefined): readonly IssuerConfig[] {
  const names = reader.keys(['issuers']);
  if (names.length === 0)
    reader.report(
      ['issuers'],
      'there must be at least one issuer, such as "letsencrypt: { preset: letsencrypt }"',
    );
  return names.flatMap((name) => readIssuer(name, reader, proxyUrl) ?? []);
}

function readIssuer(name: string, reader: Reader, proxyUrl: ProxyUrl | undefined): IssuerConfig | undefined {
  const path = ['issuers', name];
  const part = reader.read(issuer, path);
  if (part === undefined) return undefined;
  const said = reader.keys(path);
  const directoryUrl = directoryOf(name, part, reader);
  const { preset } = part;
  if (!said.includes('agreeToTerms')) reader.report([...path, 'agreeToTerms'], disagreed);
  if (!said.includes('eab') && preset !== undefined && isPreset(preset) && presets[preset].needsEab)
    reader.report(
      path,
      `${preset} opens accounts only with external account binding: add eab with keyId and hmacKey`,
    );
  return {
    name,
    directoryUrl: directoryUrl ?? '',
    email: part.email,
    eab: part.eab,
    trustPem: readCertificates(part.trust, [...path, 'trust'], reader),
    proxyUrl: part.proxy ?? proxyUrl,
    preferredChain: part.preferredChain,
    profile: part.profile,
    replaceDeactivatedAccount: part.replaceDeactivatedAccount,
    limits: part.limits,
    validation: part.validation,
  };
}

function directoryOf(
  name: string,
  { preset, directory }: { preset?: string | undefined; directory?: string | undefined },
  reader: Reader,
): string | undefined {
  const path = ['issuers', name];
  if (preset !== undefined && directory !== undefined)
    reader.report([...path, 'directory'], 'give a preset or a directory, not both');
  const isSaid = reader.keys(path).some((key) => key === 'preset' || key === 'directory');
  if (!isSaid)
    reader.report(path, 'give a preset (letsencrypt, zerossl, google, sslcom) or the directory URL of a CA');
  return preset !== undefined && isPreset(preset) ? presets[preset].directoryUrl : directory;
}
