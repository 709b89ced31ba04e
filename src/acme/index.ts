import { setMaxListeners } from 'node:events';
import { AgentError } from '../core/errors.ts';
import { chooseProfile } from '../core/order/profile-choice.ts';
import type { AccountChanges, Acme, Ports } from '../core/ports.ts';
import type { Secret } from '../core/secret.ts';
import type { ProfileWish } from '../core/types.ts';
import { orAborted } from '../core/wait.ts';
import { hasOldContacts } from './account.ts';
import { fetchRenewalInfo } from './ari.ts';
import { createDirectory } from './directory.ts';
import { createNonces } from './nonces.ts';
import { revoke } from './revoke.ts';
import { deactivate, rollover } from './rollover.ts';
import { type OpenSession, openSession, type SessionNeeds } from './session.ts';
import { createTransport, type Transport } from './transport.ts';

const libraryAgent = 'acme-client/5.4.0';

/** A CA and the account there, as the configuration defines it. */
export interface IssuerConfig {
  readonly name: string;
  readonly directoryUrl: string;
  /** E-mail addresses, with or without `mailto:`. */
  readonly contacts?: readonly string[] | undefined;
  readonly eab?: { readonly kid: string; readonly hmacKey: Secret<string> } | undefined;
  /** Trust anchors for the CA's own API, in place of the system's. */
  readonly trustPem?: string | undefined;
  readonly proxyUrl?: string | undefined;
  /** Common name of the CA at the top of the chain; a wish. */
  readonly preferredChain?: string | undefined;
  /** For lineages that want none. */
  readonly profile?: ProfileWish | undefined;
  /** A new account takes the place of one that was deactivated. */
  readonly replaceDeactivatedAccount?: boolean | undefined;
}

/** What a CA says of itself, for people who check a configuration. */
export interface CaFacts {
  readonly issuer: string;
  readonly directoryUrl: string;
  readonly termsOfService?: string | undefined;
  readonly profiles: readonly string[];
  readonly caaIdentities: readonly string[];
  readonly hasRenewalInfo: boolean;
  /** URL of the account that we have there. */
  readonly account?: string | undefined;
}

export interface AcmeLayer extends Acme, AccountChanges {
  /**
   * Asks the CA for its directory, registers nothing. Rejects with what would keep an order from being made:
   * `acme.network`, `acme.response`, `acme.externalAccount`, `order.profile`, `order.issuer`.
   */
  check(issuer: string, signal: AbortSignal): Promise<CaFacts>;
  /** Accounts that are there hear of other contacts in the file at once, not only with their next order. Makes none. */
  tellContacts(signal: AbortSignal): Promise<void>;
  /** Aborts what is under way and closes the connections. */
  close(): Promise<void>;
}

type AcmeNeeds = Pick<Ports, 'accounts' | 'locks' | 'clock' | 'log'>;

interface Issuer {
  readonly config: IssuerConfig;
  readonly needs: SessionNeeds;
  readonly transport: Transport;
  session?: Promise<OpenSession> | undefined;
}

/** `version` goes into the User-Agent (RFC 8555 §6.1). */
export function createAcme(
  issuers: readonly IssuerConfig[],
  needs: AcmeNeeds,
  { version }: { readonly version: string },
): AcmeLayer {
  const userAgent = `acme-agent/${version} ${libraryAgent}`;
  const byName = new Map(issuers.map((config) => [config.name, createIssuer(config, needs, userAgent)]));
  const closing = new AbortController();

  function find(name: string): Issuer {
    const issuer = byName.get(name);
    if (issuer) return issuer;
    throw new AgentError('order.issuer', `no issuer "${name}" is configured`, { facts: { issuer: name } });
  }

  const stopping = (signal: AbortSignal) => AbortSignal.any([signal, closing.signal]);

  function session(issuer: Issuer, signal: AbortSignal): Promise<OpenSession> {
    issuer.session ??= openSession(issuer.needs, closing.signal).catch((error: unknown) => {
      issuer.session = undefined;
      throw error;
    });
    // One flight serves all who wait for it, so a single one's signal must not stop it.
    setMaxListeners(0, signal);
    return orAborted(issuer.session, signal);
  }

  return {
    session: async (name, signal) => session(find(name), signal),
    hasSession: (name) => byName.get(name)?.session !== undefined,
    revoke: async (name, request, signal) => {
      const issuer = find(name);
      await revoke({ ...issuer, session: () => session(issuer, signal) }, request, signal);
    },
    renewalInfo: async (name, certId, signal) => {
      const { needs: own, transport } = find(name);
      return fetchRenewalInfo(certId, { ...own, transport }, signal);
    },
    rollover: async (name, signal) => rollover(find(name).needs, stopping(signal)),
    deactivate: async (name, signal) => deactivate(find(name).needs, stopping(signal)),
    check: async (name, signal) => check(find(name), needs, signal),
    async tellContacts(signal) {
      const all = [...byName.values()].map(async (issuer) => {
        if (await hasOldContacts(issuer.needs)) await session(issuer, signal);
      });
      const failed = (await Promise.allSettled(all)).find((one) => one.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    },
    async close() {
      closing.abort(new AgentError('acme.network', 'the agent is stopping'));
      await Promise.all([...byName.values()].map(({ transport }) => transport.close()));
    },
  };
}

function createIssuer(config: IssuerConfig, needs: AcmeNeeds, userAgent: string): Issuer {
  const { name, directoryUrl, trustPem, proxyUrl, eab, preferredChain, profile } = config;
  const { accounts, locks, clock, log } = needs;
  const transport = createTransport({ trustPem, proxyUrl, userAgent }, clock);
  const directory = createDirectory({
    issuer: name,
    url: directoryUrl,
    clock,
    ask: (url, patienceMs, abort) => transport.send({ method: 'GET', url, patienceMs }, abort),
  });
  const contacts = (config.contacts ?? []).map((one) => (one.startsWith('mailto:') ? one : `mailto:${one}`));
  return {
    config,
    transport,
    needs: {
      issuer: name,
      directoryUrl,
      contacts,
      replaceDeactivated: config.replaceDeactivatedAccount === true,
      eab,
      preferredChain,
      usualProfile: profile,
      transport,
      directory,
      nonces: createNonces(clock),
      accounts,
      locks,
      clock,
      log,
    },
  };
}

async function check(issuer: Issuer, { accounts }: AcmeNeeds, signal: AbortSignal): Promise<CaFacts> {
  const { name, directoryUrl, eab, profile } = issuer.config;
  const directory = await issuer.needs.directory.refresh(signal);
  const account = await accounts.get(name);
  const isKnown = account?.url !== undefined && account.directoryUrl === directoryUrl;
  if (isKnown && account.deactivatedAt !== undefined && issuer.config.replaceDeactivatedAccount !== true) {
    throw new AgentError('acme.account', `the account ${account.url} at ${name} is deactivated`);
  }
  if (directory.externalAccountRequired && !eab && !isKnown) {
    throw new AgentError('acme.externalAccount', `${name} only takes accounts that are bound to a customer`);
  }
  chooseProfile(undefined, { issuer: name, profiles: directory.profiles, usualProfile: profile });
  return {
    issuer: name,
    directoryUrl,
    termsOfService: directory.termsOfService,
    profiles: directory.profiles,
    caaIdentities: directory.caaIdentities,
    hasRenewalInfo: directory.resources.renewalInfo !== undefined,
    account: isKnown ? account.url : undefined,
  };
}
