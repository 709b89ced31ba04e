import { AgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import { isRecord, parseJson } from './document.ts';
import { errorOf } from './problem.ts';
import { withRetries } from './retry.ts';
import { type Answer, readingMs } from './transport.ts';

const maxAgeMs = 24 * 60 * 60 * 1000;
/** An old one serves until the CA can be asked again. */
const tryAgainMs = 10 * 60 * 1000;

/** RFC 8555 §7.1.1, RFC 9773 §3, and the profiles draft. */
export interface Directory {
  /** URL by resource name. */
  readonly resources: Readonly<Record<string, string>>;
  readonly profiles: readonly string[];
  readonly caaIdentities: readonly string[];
  readonly termsOfService?: string | undefined;
  readonly externalAccountRequired: boolean;
}

export interface DirectorySource {
  /** Fetched once a day; by one caller, while the others go on with the old one, as all do when it cannot be had. */
  get(signal: AbortSignal): Promise<Directory>;
  /** Fetched now: a URL of the directory is gone. */
  refresh(signal: AbortSignal): Promise<Directory>;
  /** What was fetched last, for names that do not change within a session. */
  latest(): Directory | undefined;
}

interface DirectoryNeeds {
  readonly issuer: string;
  readonly url: string;
  readonly clock: Clock;
  readonly ask: (url: string, patienceMs: number, signal: AbortSignal) => Promise<Answer>;
}

export function createDirectory({ issuer, url, clock, ask }: DirectoryNeeds): DirectorySource {
  let held: { readonly directory: Directory; readonly at: Instant } | undefined;
  let renewing = false;

  async function refresh(signal: AbortSignal): Promise<Directory> {
    const run = async (spentMs: number) => {
      const got = await ask(url, readingMs - spentMs, signal);
      if (got.status >= 400) throw errorOf(got, issuer, clock.now());
      return got;
    };
    const answer = await withRetries({ run }, clock, signal);
    const directory = readDirectory(parseJson(answer), url);
    held = { directory, at: clock.now() };
    return directory;
  }

  return {
    refresh,
    async get(signal) {
      if (!held) return refresh(signal);
      const age = clock.now() - held.at;
      if (renewing || (age >= 0 && age < maxAgeMs)) return held.directory;
      renewing = true;
      try {
        return await refresh(signal);
      } catch (error) {
        if (signal.aborted) throw error;
        held = { ...held, at: clock.now() - maxAgeMs + tryAgainMs };
        return held.directory;
      } finally {
        renewing = false;
      }
    },
    latest: () => held?.directory,
  };
}

function readDirectory(document: unknown, url: string): Directory {
  if (!isRecord(document)) throw notADirectory(url, 'the answer is not a JSON object');
  const resources = Object.fromEntries(
    Object.entries(document).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
  for (const name of ['newNonce', 'newAccount', 'newOrder']) {
    const resource = resources[name];
    if (resource === undefined) throw notADirectory(url, `it has no "${name}"`);
    if (!URL.canParse(resource)) throw notADirectory(url, `its "${name}" is not a URL`);
  }
  const meta = isRecord(document.meta) ? document.meta : {};
  return {
    resources,
    profiles: isRecord(meta.profiles) ? Object.keys(meta.profiles) : [],
    caaIdentities: Array.isArray(meta.caaIdentities)
      ? meta.caaIdentities.filter((one): one is string => typeof one === 'string')
      : [],
    termsOfService: typeof meta.termsOfService === 'string' ? meta.termsOfService : undefined,
    externalAccountRequired: meta.externalAccountRequired === true,
  };
}

function notADirectory(url: string, why: string): AgentError {
  return new AgentError('acme.response', `${url} is not an ACME directory: ${why}`, { facts: { url } });
}
