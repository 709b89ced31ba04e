import type { AgentError, ErrorCode } from '../src/core/errors.ts';
import { type AwsFault, toAwsError } from '../src/plugin/aws-errors.ts';

const codes: Readonly<Record<string, ErrorCode>> = {
  NoSuchHostedZone: 'dns.zoneNotFound',
  PriorRequestNotComplete: 'provider.conflict',
};

/** What the AWS SDK threw, as an AgentError; `doing` completes "Route 53 refuses …". */
export function toProviderError(
  error: unknown,
  asked: { readonly doing: string; readonly now: number },
): AgentError {
  const unnamed = 'InvalidChangeBatch';
  return toAwsError(error, { ...asked, service: 'Route 53', reader: 'provider', codeOf, unnamed });
}

function codeOf({ name, message }: AwsFault): ErrorCode | undefined {
  return codes[name] ?? (isChangedMeanwhile(message) ? 'provider.conflict' : undefined);
}

/** Our batch names sets as they were read; this is what Route 53 says when they are no longer so. */
function isChangedMeanwhile(message: string): boolean {
  return /but it was not found|do not match the current values|but it already exists/.test(message);
}
