import { createSecureContext, type SecureContext } from 'node:tls';
import { isAddress } from '../core/address.ts';
import { fallbackRenewAt, fallbackValidity } from '../core/deploy/fallback.ts';
import type { Ports } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import { writePem } from '../x509/pem.ts';
import { createLru } from './lru.ts';
import type { TlsSettings } from './sni-contexts.ts';

/** Names that nothing is held for: the agents are told of them, and each has a self-signed certificate meanwhile. */
export interface AskedNames {
  /** undefined: too many are asked for at once, or it is no name that a CA would certify. */
  standIn(name: string): SecureContext | undefined;
  readonly bytes: number;
}

interface Asked {
  readonly context: SecureContext;
  readonly renewAt: Instant;
  readonly askAt: Instant;
  readonly pauseMs: number;
}

/** A hint may be lost, or come while the agents are away. */
const firstPauseMs = 15_000;
const longestPauseMs = 120_000;
/** New names: so many at once, and so many a second. */
const mostAtOnce = 100;
const perSecond = 20;
const most = 1_000;
/** A context with one small certificate, as measured on Node 20 and 22. */
const contextBytes = 28 * 1024;

/** A name costs a signature and a context, and its question a message; all its stand-ins share one key. */
export async function createAskedNames(
  { tls, mostWeight }: { readonly tls: TlsSettings; readonly mostWeight: number },
  {
    hostAsks,
    pki,
    clock,
    log,
  }: Pick<Ports, 'pki' | 'clock' | 'log'> & { hostAsks: Pick<Ports['hostAsks'], 'ask'> },
): Promise<AskedNames> {
  const asked = createLru<Asked>({ most, mostWeight });
  const privateKey = await pki.generateKey('p256');
  const key = writePem(privateKey.reveal(), 'PRIVATE KEY');
  let tokens = mostAtOnce;
  let filledAt = clock.now();
  let isDeaf = false;

  function takeToken(): boolean {
    const now = clock.now();
    tokens = Math.min(mostAtOnce, tokens + (Math.max(0, now - filledAt) * perSecond) / 1000);
    filledAt = now;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  }

  function make(name: string): Pick<Asked, 'context' | 'renewAt'> {
    const made = pki.selfSigned([name], privateKey, fallbackValidity(clock.now()));
    const context = createSecureContext({ ...tls, cert: writePem(made.leafDer), key });
    return { context, renewAt: fallbackRenewAt(made) };
  }

  function tell(name: string): void {
    hostAsks.ask(name).then(
      () => {
        isDeaf = false;
      },
      (error: unknown) => {
        // Once, not for each client.
        if (!isDeaf) log.warn({ error }, 'the agents cannot be told which hosts clients ask for');
        isDeaf = true;
      },
    );
  }

  return {
    standIn: (name) => {
      const now = clock.now();
      const known = asked.get(name);
      const isFresh = known !== undefined && now < known.renewAt;
      if (isFresh && now < known.askAt) return known.context;
      if (isAddress(name) || !takeToken()) return known?.context;
      const pauseMs = known === undefined ? firstPauseMs : Math.min(2 * known.pauseMs, longestPauseMs);
      const made = isFresh ? known : make(name);
      asked.set(name, { ...made, askAt: now + pauseMs, pauseMs }, contextBytes + 2 * name.length);
      tell(name);
      return made.context;
    },
    get bytes() {
      return asked.weight;
    },
  };
}
