import { z } from 'zod';
import { isOfAnybody, parsePattern, patternRefusal } from '../core/on-demand/patterns.ts';
import type { OnDemandSettings } from '../core/types.ts';
import { rate, webUrl } from './fields.ts';
import type { Reader } from './reader.ts';

const pattern = z.string().superRefine((written, context) => {
  const reason = patternRefusal(written);
  if (reason !== undefined)
    context.addIssue({ code: 'custom', message: `is no pattern of host names: ${reason}` });
});

/** Which hosts are taken in because a client asks for them. */
export const onDemand = z.strictObject({
  allow: z.array(pattern).min(1),
  permission: webUrl.optional(),
  perDomain: rate.default({ count: 10, perMs: 86_400_000 }),
  waiting: z.int().min(1).max(10_000).default(100),
});

/** Reports a pattern for names of whoever registers one, where nobody is asked about them. */
export function readOnDemand(
  part: z.infer<typeof onDemand> | undefined,
  reader: Reader,
): OnDemandSettings | undefined {
  if (part === undefined) return undefined;
  const isAsked = reader.keys(['onDemand']).includes('permission');
  const allow = part.allow.map(parsePattern);
  for (const [index, one] of allow.entries())
    if (isOfAnybody(one) && !isAsked)
      reader.report(
        ['onDemand', 'allow', index],
        `"${one}" allows the names of whoever registers one: add "permission", the URL at which the platform says which are its own`,
      );
  return {
    allow,
    asksPermission: part.permission !== undefined,
    perDomain: part.perDomain,
    mostWaiting: part.waiting,
  };
}
