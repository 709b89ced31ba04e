import { z } from 'zod';
import type { Http } from '../core/http.ts';
import type { Secret } from '../core/secret.ts';
import { createRequestHandler } from './aws-http.ts';
import { secretText } from './fields.ts';

/** Options of all that speaks with AWS. */
export const awsFields = {
  accessKeyId: z.string().min(1).optional().describe('Access key id; absent: the AWS credential chain.'),
  secretAccessKey: secretText().optional().describe('Secret of that access key.'),
  sessionToken: secretText().optional().describe('Session token of temporary credentials.'),
  profile: z
    .string()
    .min(1)
    .optional()
    .describe('Profile of the AWS configuration files; it may name a role_arn to assume.'),
  endpoint: z.url().optional().describe('Another URL of the API.'),
};

export const awsNotes = [
  'Without keys the AWS credential chain is used: environment, shared files, SSO, web identity, container and instance roles.',
  'To assume a role, name it as role_arn in a profile of the AWS configuration file.',
];

export interface AwsOptions {
  readonly region: string;
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: Secret<string> | undefined;
  readonly sessionToken?: Secret<string> | undefined;
  readonly profile?: string | undefined;
  readonly endpoint?: string | undefined;
}

export const keysTogether = [
  ({ accessKeyId, secretAccessKey }: Partial<AwsOptions>) =>
    (accessKeyId === undefined) === (secretAccessKey === undefined),
  'accessKeyId and secretAccessKey belong together',
] as const;

/** Of any client of the SDK, which tries nothing again by itself: whoever calls the plugin does, and knows of all others. */
export function awsClientConfig(options: AwsOptions, { http }: { readonly http: Http }) {
  const { region, endpoint, profile, accessKeyId, secretAccessKey, sessionToken } = options;
  return {
    region,
    maxAttempts: 1,
    requestHandler: createRequestHandler(http),
    ...(endpoint !== undefined && { endpoint }),
    ...(profile !== undefined && { profile }),
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && {
        credentials: {
          accessKeyId,
          secretAccessKey: secretAccessKey.reveal(),
          ...(sessionToken !== undefined && { sessionToken: sessionToken.reveal() }),
        },
      }),
  };
}
