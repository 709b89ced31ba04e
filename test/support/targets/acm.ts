import { createPrivateKey, randomUUID, X509Certificate } from 'node:crypto';
import { canary } from '../canaries.ts';
import type { Answer, Incoming } from '../vendors/server.ts';
import { startTargetServer, type TargetServer } from './server.ts';

interface Held {
  readonly cert: string;
  readonly key: string;
  readonly chain: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly type: 'IMPORTED' | 'AMAZON_ISSUED';
}

export interface Acm {
  readonly server: TargetServer;
  readonly options: {
    readonly region: string;
    readonly endpoint: string;
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
  };
  /** By ARN. */
  readonly certificates: Map<string, Held>;
  /** Something uses these. */
  readonly inUse: Set<string>;
  /** Actions asked for, in order. */
  readonly actions: readonly string[];
  /** Imports are refused with what was sent. */
  repeats: boolean;
}

const pageSize = 2;

/**
 * Certificates of ACM with its refusals: https://docs.aws.amazon.com/acm/latest/APIReference/API_ImportCertificate.html,
 * …/API_ListCertificates.html, https://docs.aws.amazon.com/acm/latest/userguide/import-reimport.html.
 */
export async function startAcm(): Promise<Acm> {
  const [accessKeyId, secretAccessKey] = ['AKIDTESTONLY', canary()];
  const certificates = new Map<string, Held>();
  const inUse = new Set<string>();
  const actions: string[] = [];

  // biome-ignore lint/suspicious/noExplicitAny: what a client sent
  const routines: Readonly<Record<string, (json: any) => Answer>> = {
    ListCertificates({ Includes, NextToken = '0' }) {
      // Without a filter only these (API_Filters).
      const types: string[] = Includes?.keyTypes ?? ['RSA_1024', 'RSA_2048'];
      const all = [...certificates].filter(([, { cert }]) => types.includes(algorithmOf(cert)));
      const start = Number(NextToken);
      const page = all.slice(start, start + pageSize).map(([arn, { cert, type }]) => ({
        CertificateArn: arn,
        DomainName: namesIn(cert)[0],
        SubjectAlternativeNameSummaries: namesIn(cert),
        HasAdditionalSubjectAlternativeNames: false,
        KeyAlgorithm: algorithmOf(cert),
        Type: type,
      }));
      const more = start + pageSize < all.length;
      return done({ CertificateSummaryList: page, ...(more && { NextToken: String(start + pageSize) }) });
    },
    ListTagsForCertificate({ CertificateArn: arn }) {
      const found = certificates.get(arn);
      if (found === undefined) return missing(arn);
      return done({ Tags: Object.entries(found.tags).map(([Key, Value]) => ({ Key, Value })) });
    },
    GetCertificate({ CertificateArn: arn }) {
      const found = certificates.get(arn);
      if (found === undefined) return missing(arn);
      return done({ Certificate: found.cert, ...(found.chain !== '' && { CertificateChain: found.chain }) });
    },
    ImportCertificate({ CertificateArn: arn, Tags, ...blobs }) {
      const [cert, key, chain] = ['Certificate', 'PrivateKey', 'CertificateChain'].map((name) =>
        Buffer.from(blobs[name] ?? '', 'base64').toString(),
      );
      if (acm.repeats)
        return refusal('ValidationException', `Invalid value at privateKey: ${blobs.PrivateKey}`);
      const before = certificates.get(arn);
      if (arn !== undefined && before === undefined) return missing(arn);
      const given = { cert: cert ?? '', key: key ?? '', chain: chain ?? '' };
      const problem = problemWith(given, before) ?? problemWithTags(Tags, before);
      if (problem !== undefined) return refusal('ValidationException', problem);
      const into = arn ?? `arn:aws:acm:eu-central-1:123456789012:certificate/${randomUUID()}`;
      const tags: Record<string, string> = { ...before?.tags };
      for (const { Key, Value } of Tags ?? []) tags[Key] = Value;
      certificates.set(into, { ...given, tags, type: 'IMPORTED' });
      return done({ CertificateArn: into });
    },
    DeleteCertificate({ CertificateArn: arn }) {
      if (!certificates.has(arn)) return missing(arn);
      if (inUse.has(arn)) return refusal('ResourceInUseException', `Certificate ${arn} is in use`);
      certificates.delete(arn);
      return done({});
    },
  };

  const server = await startTargetServer({
    isAuthorized: ({ headers }) => {
      const text = headers.authorization ?? '';
      return (
        text.startsWith(`AWS4-HMAC-SHA256 Credential=${accessKeyId}/`) && text.includes('/eu-central-1/acm/')
      );
    },
    routes: [
      {
        method: 'POST',
        path: '/',
        run({ headers, json }: Incoming) {
          const action = (headers['x-amz-target'] ?? '').replace('CertificateManager.', '');
          actions.push(action);
          return routines[action]?.(json) ?? refusal('UnknownOperationException', action);
        },
      },
    ],
  });
  const options = { region: 'eu-central-1', endpoint: server.url, accessKeyId, secretAccessKey };
  const acm: Acm = { server, options, certificates, inUse, actions, repeats: false };
  return acm;
}

function problemWith({ cert, key, chain }: Pick<Held, 'cert' | 'key' | 'chain'>, before: Held | undefined) {
  try {
    const leaf = new X509Certificate(cert);
    if (!leaf.checkPrivateKey(createPrivateKey(key)))
      return 'The private key does not match the certificate.';
    if (cert.split('BEGIN CERTIFICATE').length !== 2) return 'The certificate field contains more than one.';
    if (Date.parse(leaf.validFrom) > Date.now() || Date.parse(leaf.validTo) < Date.now())
      return 'The certificate is not valid now.';
    if (chain.includes(cert.trim())) return 'The chain contains the certificate.';
    if (chain !== '') new X509Certificate(chain);
    if (before !== undefined && algorithmOf(before.cert) !== algorithmOf(cert))
      return 'The key type and size cannot be changed.';
    return undefined;
  } catch {
    return 'Could not parse the certificate.';
  }
}

function problemWithTags(
  tags: readonly { readonly Key: string; readonly Value: string }[] | undefined,
  before: Held | undefined,
) {
  if (tags === undefined) return undefined;
  if (before !== undefined) return 'Tags cannot be applied when reimporting.';
  const allowed = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
  return tags.every(({ Key, Value }) => allowed.test(Key) && allowed.test(Value))
    ? undefined
    : 'Invalid tag.';
}

function algorithmOf(cert: string): string {
  const { publicKey } = new X509Certificate(cert);
  const details = publicKey.asymmetricKeyDetails;
  return publicKey.asymmetricKeyType === 'rsa'
    ? `RSA_${details?.modulusLength}`
    : `EC_${details?.namedCurve}`;
}

function namesIn(cert: string): readonly string[] {
  return (new X509Certificate(cert).subjectAltName ?? '')
    .split(', ')
    .map((name) => name.replace(/^\w+:/, ''));
}

function done(json: object): Answer {
  return { status: 200, json };
}

function missing(arn: string): Answer {
  return refusal('ResourceNotFoundException', `Could not find certificate ${arn}.`);
}

function refusal(type: string, message: string): Answer {
  return { status: 400, json: { __type: type, message } };
}
