import { isIP } from 'node:net';
import type { ACMClient, CertificateSummary, KeyAlgorithm, ServiceInputTypes } from '@aws-sdk/client-acm';
import { AgentError, isAgentError } from '../core/errors.ts';
import type { DeployRequest } from '../core/ports.ts';
import { type AwsOptions, awsClientConfig } from '../plugin/aws-client.ts';
import { toAwsError } from '../plugin/aws-errors.ts';
import type { PluginContext } from '../plugin/context.ts';
import { toTargetError } from './admin-api.ts';

type Sdk = typeof import('@aws-sdk/client-acm');

export const advice =
  'Check credentials, region and the rights of the policy in the documentation, and what AWS says of the certificate.';

/** The list leaves out what is not asked for. */
const keyTypes: Readonly<Record<'ec' | 'rsa', KeyAlgorithm[]>> = {
  ec: ['EC_prime256v1', 'EC_secp384r1', 'EC_secp521r1'],
  rsa: ['RSA_2048', 'RSA_3072', 'RSA_4096'],
};

export interface AcmCertificate {
  readonly arn: string;
  readonly cert: string;
  /** Empty: none. */
  readonly chain: string;
}

export interface AcmImport {
  /** undefined: a new one, with the tags. */
  readonly arn: string | undefined;
  readonly cert: string;
  readonly chain: string;
  readonly key: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** What is needed of ACM; each rejects with `deploy.target`, on abort with the signal's reason. */
export interface AcmApi {
  /** undefined: there is none any more. */
  get(arn: string, signal: AbortSignal): Promise<AcmCertificate | undefined>;
  /** ARNs of the imported certificates for this slot's label and key class that have the tag, always in one order. */
  tagged(slot: DeployRequest['slot'], tag: readonly [string, string], signal: AbortSignal): Promise<string[]>;
  /** Resolves with the ARN. */
  put(what: AcmImport, signal: AbortSignal): Promise<string>;
  /** false: something still uses it. */
  remove(arn: string, signal: AbortSignal): Promise<boolean>;
  reach(signal: AbortSignal): Promise<void>;
}

export function createAcmApi(options: AwsOptions, context: Pick<PluginContext, 'http' | 'clock'>): AcmApi {
  const call = createCall(options, context);

  async function listed(slot: DeployRequest['slot'], signal: AbortSignal): Promise<CertificateSummary[]> {
    const found: CertificateSummary[] = [];
    let next: string | undefined;
    do {
      const input = { Includes: { keyTypes: keyTypes[slot.keyClass] }, NextToken: next, MaxItems: 500 };
      const page = await call('to list certificates', signal, (sdk, client, o) =>
        client.send(new sdk.ListCertificatesCommand(input), o),
      );
      found.push(...(page.CertificateSummaryList ?? []));
      next = page.NextToken;
    } while (next !== undefined);
    return found.filter((one) => one.Type === 'IMPORTED' && mayBeFor(slot.label, one));
  }

  return {
    async get(arn, signal) {
      const found = await unlessGone(
        call(`for the certificate ${arn}`, signal, (sdk, client, o) =>
          client.send(new sdk.GetCertificateCommand({ CertificateArn: arn }), o),
        ),
      );
      return found && { arn, cert: found.Certificate ?? '', chain: found.CertificateChain ?? '' };
    },
    async tagged(slot, [key, value], signal) {
      const arns: string[] = [];
      for (const { CertificateArn: arn } of await listed(slot, signal)) {
        if (arn === undefined) continue;
        const answer = await unlessGone(
          call(`for the tags of ${arn}`, signal, (sdk, client, o) =>
            client.send(new sdk.ListTagsForCertificateCommand({ CertificateArn: arn }), o),
          ),
        );
        if (answer?.Tags?.some((tag) => tag.Key === key && tag.Value === value)) arns.push(arn);
      }
      return arns.toSorted();
    },
    async put({ arn, cert, chain, key, tags }, signal) {
      const input = {
        Certificate: Buffer.from(cert),
        PrivateKey: Buffer.from(key),
        ...(chain !== '' && { CertificateChain: Buffer.from(chain) }),
        // Only a new one takes tags.
        ...(arn === undefined
          ? { Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) }
          : { CertificateArn: arn }),
      } satisfies ServiceInputTypes;
      const doing = arn === undefined ? 'to import a certificate' : `to import a certificate into ${arn}`;
      const answer = await call(
        doing,
        signal,
        (sdk, client, o) => client.send(new sdk.ImportCertificateCommand(input), o),
        [key],
      );
      if (answer.CertificateArn !== undefined) return answer.CertificateArn;
      throw new AgentError('deploy.target', `ACM was asked ${doing} and answers without an ARN`, { advice });
    },
    async remove(arn, signal) {
      try {
        await unlessGone(
          call(`to delete ${arn}`, signal, (sdk, client, o) =>
            client.send(new sdk.DeleteCertificateCommand({ CertificateArn: arn }), o),
          ),
        );
        return true;
      } catch (error) {
        if (vendorCode(error) === 'ResourceInUseException') return false;
        throw error;
      }
    },
    async reach(signal) {
      await call('to list certificates', signal, (sdk, client, o) =>
        client.send(new sdk.ListCertificatesCommand({ MaxItems: 1 }), o),
      );
    },
  };
}

/** The SDK is loaded and the client made at the first call: most agents never need them. */
function createCall(options: AwsOptions, { http, clock }: Pick<PluginContext, 'http' | 'clock'>) {
  let opened: Promise<{ readonly sdk: Sdk; readonly client: ACMClient }> | undefined;

  async function open() {
    const sdk = await import('@aws-sdk/client-acm');
    // Nothing is sent twice: an import whose answer was lost would leave a second certificate.
    return { sdk, client: new sdk.ACMClient(awsClientConfig(options, { http })) };
  }

  return async <T>(
    doing: string,
    signal: AbortSignal,
    run: (sdk: Sdk, client: ACMClient, o: { readonly abortSignal: AbortSignal }) => Promise<T>,
    secrets?: readonly string[],
  ): Promise<T> => {
    signal.throwIfAborted();
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    const { sdk, client } = await opened;
    try {
      return await run(sdk, client, { abortSignal: signal });
    } catch (error) {
      signal.throwIfAborted();
      const asked = { service: 'ACM', doing, now: clock.now(), reader: 'target' as const, secrets };
      throw toTargetError(toAwsError(error, asked), advice);
    }
  };
}

async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (vendorCode(error) === 'ResourceNotFoundException') return undefined;
    throw error;
  }
}

function vendorCode(error: unknown): unknown {
  return isAgentError(error, 'deploy.target') ? error.facts.vendorCode : undefined;
}

/** Tags are asked for one certificate at a time, so for as few as may be. */
function mayBeFor(label: string, one: CertificateSummary): boolean {
  if (isIP(label) !== 0 || one.HasAdditionalSubjectAlternativeNames === true) return true;
  return one.DomainName === label || one.SubjectAlternativeNameSummaries?.includes(label) === true;
}
