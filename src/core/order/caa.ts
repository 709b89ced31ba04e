import type { ChallengeType } from '../types.ts';

/** One CAA record (RFC 8659 §4.1). */
export interface CaaRecord {
  readonly critical: boolean;
  readonly tag: string;
  readonly value: string;
}

/** What an order would ask of the records. */
export interface CaaQuestion {
  /** Names by which the CA calls itself in CAA records (RFC 8555 §9.7.6); empty: it does not say. */
  readonly identities: readonly string[];
  /** URL of our account there; absent: there is none yet. */
  readonly account?: string | undefined;
  readonly challenge: ChallengeType;
  readonly wildcard: boolean;
}

export type CaaVerdict =
  | { readonly says: 'yes' }
  /** It depends on what we cannot know. */
  | { readonly says: 'unclear'; readonly reason: string }
  | {
      readonly says: 'no';
      /** The rest of a sentence whose subject is the record set. */
      readonly reason: string;
      /** This record beside the others makes it a yes. */
      readonly add?: CaaRecord | undefined;
      /** No CA may issue while these stand. */
      readonly remove?: readonly CaaRecord[] | undefined;
    };

/** What an `issue` or `issuewild` value says; undefined where it is malformed, and so permits nobody (RFC 8659 §4.2). */
interface Permission {
  /** Empty: nobody. */
  readonly issuer: string;
  readonly parameters: readonly (readonly [tag: string, value: string])[];
}

/** Those in the registry of CAA properties; a CA may issue though it does not act on them. */
const knownTags: ReadonlySet<string> = new Set([
  'issue',
  'issuewild',
  'issuemail',
  'issuevmc',
  'iodef',
  'contactemail',
  'contactphone',
]);

/** It names an account, and we have none yet. */
const noAccount = 'for one account only';

const domainName = /^[a-z0-9](?:-*[a-z0-9])*(?:\.[a-z0-9](?:-*[a-z0-9])*)*$/i;
const parameter = /^([a-z0-9](?:-*[a-z0-9])*)[ \t]*=[ \t]*([\x21-\x3a\x3c-\x7e]*)$/i;
const methods = /^(?:[a-z0-9-]+(?:,[a-z0-9-]+)*)?$/i;

/**
 * Whether the relevant record set of a name (RFC 8659 §3) lets a CA issue, with the limits of RFC 8657. Where CAs differ
 * in what they read it says yes: the CA itself has the last word.
 */
export function judgeCaa(set: readonly CaaRecord[], question: CaaQuestion): CaaVerdict {
  const strange = set.filter(({ critical, tag }) => critical && !knownTags.has(tag.toLowerCase()));
  if (strange.length > 0) {
    const tags = strange.map(({ tag }) => `"${tag}"`).join(', ');
    return { says: 'no', reason: `demand that a CA understands ${tags}, which none does`, remove: strange };
  }
  const properties = propertiesFor(set, question.wildcard);
  const permissions = properties.flatMap(({ value }) => readPermission(value) ?? []);
  const named = permissions.filter(({ issuer }) => isOneOf(question.identities, issuer));
  if (properties.length === 0 || named.some((one) => obstacle(one, question) === undefined))
    return { says: 'yes' };
  const issuers = [...new Set(permissions.map(({ issuer }) => issuer))].filter((issuer) => issuer !== '');
  if (question.identities.length === 0 && issuers.length > 0)
    return {
      says: 'unclear',
      reason: `allow only ${issuers.join(', ')}, and this CA does not say by which name it goes`,
    };
  const first = named[0];
  if (first !== undefined && named.some((one) => obstacle(one, question) === noAccount))
    return {
      says: 'unclear',
      reason: `allow ${first.issuer} ${noAccount}, and we have none there yet`,
    };
  const reason =
    first === undefined
      ? `allow ${issuers.length === 0 ? 'no CA at all' : `only ${issuers.join(', ')}`}`
      : `allow ${first.issuer} ${obstacle(first, question)}`;
  return { says: 'no', reason, add: permitting(properties, named, question) };
}

/** The record in zone-file form (RFC 8659 §4.1.1). */
export function caaLine(owner: string, { critical, tag, value }: CaaRecord): string {
  const text = value.replace(/["\\]/g, '\\$&');
  return `${owner}. IN CAA ${critical ? 128 : 0} ${tag} "${text}"`;
}

/** The record that lets this CA, and with it our account alone, issue; undefined: the CA does not say its name. */
export function caaFor(
  { identities: [identity], account }: Pick<CaaQuestion, 'identities' | 'account'>,
  tag: 'issue' | 'issuewild' = 'issue',
): CaaRecord | undefined {
  if (identity === undefined) return undefined;
  const isPlain = account !== undefined && /^[\x21-\x3a\x3c-\x7e]+$/.test(account);
  return { critical: false, tag, value: isPlain ? `${identity}; accounturi=${account}` : identity };
}

/** RFC 8659 §4.3: for a wildcard `issuewild` counts alone where there is one, for other names it counts for nothing. */
function propertiesFor(set: readonly CaaRecord[], wildcard: boolean): readonly CaaRecord[] {
  const tagged = (wanted: string) => set.filter(({ tag }) => tag.toLowerCase() === wanted);
  const wild = wildcard ? tagged('issuewild') : [];
  return wild.length > 0 ? wild : tagged('issue');
}

function readPermission(value: string): Permission | undefined {
  const [issuer = '', ...rest] = value.split(';').map((part) => part.replace(/^[ \t]+|[ \t]+$/g, ''));
  if (issuer !== '' && !domainName.test(issuer)) return undefined;
  if (rest.length === 1 && rest[0] === '') return { issuer, parameters: [] };
  const parameters = rest.map((part) => parameter.exec(part));
  if (parameters.some((match) => match === null)) return undefined;
  return { issuer, parameters: parameters.map((match) => [match?.[1] ?? '', match?.[2] ?? '']) };
}

function isOneOf(identities: readonly string[], issuer: string): boolean {
  return identities.some((identity) => identity.toLowerCase() === issuer.toLowerCase());
}

/** Why a permission for the CA is none for this order (RFC 8657 §3, §4), in words after "allow ca.example"; or `noAccount`. */
function obstacle({ parameters }: Permission, { account, challenge }: CaaQuestion): string | undefined {
  const of = (wanted: string) => parameters.filter(([tag]) => tag === wanted).map(([, value]) => value);
  const [accounts, allowed] = [of('accounturi'), of('validationmethods')];
  if (accounts.length > 1 || allowed.length > 1 || !methods.test(allowed[0] ?? ''))
    return 'in terms that no order can meet';
  if (allowed[0] !== undefined && !allowed[0].split(',').includes(challenge))
    return `for validation by ${allowed[0].replaceAll(',', ', ') || 'no method'} only, not by ${challenge}`;
  if (accounts[0] === undefined || accounts[0] === account) return undefined;
  return account === undefined ? noAccount : `for the account ${accounts[0]} only, and ours is ${account}`;
}

function permitting(
  properties: readonly CaaRecord[],
  named: readonly Permission[],
  question: CaaQuestion,
): CaaRecord | undefined {
  const isWild = properties.some(({ tag }) => tag.toLowerCase() === 'issuewild');
  const record = caaFor(question, isWild ? 'issuewild' : 'issue');
  const limitsMethods = named.some(({ parameters }) =>
    parameters.some(([tag]) => tag === 'validationmethods'),
  );
  if (record === undefined || !limitsMethods) return record;
  return { ...record, value: `${record.value}; validationmethods=${question.challenge}` };
}
