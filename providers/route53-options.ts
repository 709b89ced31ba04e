import { z } from 'zod';
import type { ProviderTraits } from '../src/core/provider.ts';
import { awsFields, keysTogether } from '../src/plugin/aws-client.ts';
import { quoteTxt } from '../src/plugin/quoting.ts';
import { maxCharacters, maxRecords } from './route53-sets.ts';

export const options = z
  .strictObject({
    ...awsFields,
    hostedZoneId: z
      .string()
      .regex(/^Z[A-Z0-9]+$/, 'must be a hosted zone id such as Z0123456789ABC')
      .optional()
      .describe('Use only this zone; needed where two public zones have one name.'),
    region: z
      .string()
      .min(1)
      .default('us-east-1')
      .describe('Region of the API; other in AWS China and GovCloud.'),
    ttl: z
      .int()
      .min(1)
      .max(86_400)
      .default(10)
      .describe('Seconds; of record sets made, not of those changed.'),
  })
  .refine(...keysTogether);

export type Route53Options = z.infer<typeof options>;

export const traits: ProviderTraits = {
  model: 'rrset-cas',
  // One change batch of a zone at a time: a second one is refused with PriorRequestNotComplete.
  serialize: 'zone',
  batch: {
    maxChanges: maxRecords / 2,
    maxCost: maxCharacters,
    // A set that is changed counts twice, as deleted and as created.
    costOf: ({ value }) => 2 * quoteTxt(value, 8).length,
    atomic: true,
  },
  maxValuesPerName: 400,
  removeIsExact: true,
  // AWS allows an account 10 requests a second, 50 at once; one call of ours lists and changes.
  rate: [{ bucket: 'requests', perSecond: 5, burst: 25, costOf: 'call' }],
  ttl: { min: 1, preferred: 10 },
  propagation: { signal: 'api', typicalMs: 30_000, timeoutMs: 300_000 },
};

export const policy = {
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Action: 'route53:ListHostedZonesByName', Resource: '*' },
    { Effect: 'Allow', Action: 'route53:GetChange', Resource: 'arn:aws:route53:::change/*' },
    {
      Effect: 'Allow',
      Action: ['route53:GetHostedZone', 'route53:ListResourceRecordSets'],
      Resource: 'arn:aws:route53:::hostedzone/YOUR_ZONE_ID',
    },
    {
      Effect: 'Allow',
      Action: 'route53:ChangeResourceRecordSets',
      Resource: 'arn:aws:route53:::hostedzone/YOUR_ZONE_ID',
      Condition: {
        'ForAllValues:StringEquals': {
          'route53:ChangeResourceRecordSetsRecordTypes': ['TXT'],
          'route53:ChangeResourceRecordSetsActions': ['CREATE', 'DELETE'],
        },
        'ForAllValues:StringLike': {
          'route53:ChangeResourceRecordSetsNormalizedRecordNames': ['_acme-challenge.*'],
        },
      },
    },
  ],
};
