import { type SecureContext, TLSSocket } from 'node:tls';
import { bindingRefusal, isEndpoint, parseBindingName } from '../core/bindings/names.ts';
import { AgentError } from '../core/errors.ts';
import { isWildcard, parseName, refusal } from '../core/names.ts';
import type { Ports, ServedChange } from '../core/ports.ts';
import { readShown } from '../core/shown.ts';
import { inTime } from '../core/wait.ts';
import { createAskedNames } from './sni-asked.ts';
import { createContexts, type TlsSettings } from './sni-contexts.ts';
import { createDefault, type DefaultCertificate } from './sni-default.ts';
import { createKnownNames } from './sni-names.ts';
import { createWatch } from './sni-watch.ts';

export interface SniOptions {
  /** Certificates that are kept ready, least recently used out first. Default 10,000. */
  readonly maxContexts?: number | undefined;
  /** Memory for them and for what is known of names, as estimated. Default 512 MiB. */
  readonly maxBytes?: number | undefined;
  /** Shown where nothing is held; of an RSA key. Default: a self-signed one, made at start. */
  readonly defaultCertificate?: DefaultCertificate | undefined;
  /** Of the platform, as `bind` names it (`web:443`): what is bound to it is shown for all names that have no binding of their own. */
  readonly endpoint?: string | undefined;
  /**
   * A host that nothing is held for gets a self-signed certificate of its own, and the agents are told of it, which take it in where
   * their file allows that (`onDemand`). Needs the right to publish.
   */
  readonly onDemand?: boolean | undefined;
  /** Least TLS version, ciphers and the like, of all handshakes. */
  readonly tls?: TlsSettings | undefined;
}

/** What may be shown otherwise from now on. */
export interface SniChange {
  readonly changes: readonly ServedChange[] | 'all';
  /** Names that were in memory, and are read anew at their next handshake. */
  readonly names: readonly string[];
}

export interface Sni {
  /**
   * For `createServer` of `node:https` and `node:tls`, which must call it itself: Node makes the socket its `this`, and only
   * through it both kinds of key can be shown. Always calls back with a context, never with an error.
   */
  readonly SNICallback: (
    this: unknown,
    servername: string,
    done: (error: Error | null, context?: SecureContext) => void,
  ) => void;
  /** `SNICallback`, and the default certificate, also for clients that name no host. */
  serverOptions(): TlsSettings & DefaultCertificate & Pick<Sni, 'SNICallback'>;
  /** Returns the function that stops it. */
  onChange(listener: (change: SniChange) => void): () => void;
  stats(): SniStats;
}

export interface SniStats {
  readonly contexts: number;
  readonly names: number;
  /** As estimated; never above `maxBytes`. */
  readonly bytes: number;
  readonly hits: number;
  readonly misses: number;
  /** Handshakes that got the default certificate, or with `onDemand` a self-signed one. */
  readonly defaults: number;
  readonly isStoreAway: boolean;
}

export type SniNeeds = Pick<
  Ports,
  'wishes' | 'certificates' | 'bindings' | 'renewals' | 'served' | 'pki' | 'clock' | 'log'
> & { readonly hostAsks: Pick<Ports['hostAsks'], 'ask'> };

/** Names that are read at once; more get the default certificate, so that a flood of names is no flood at the store. */
const mostReading = 256;
/** A handshake does not wait longer for the store. */
const readMs = 2_000;
const namesPerContext = 4;

/** Answers by server name from memory; the store is asked for a name that is new, or that a change concerns. */
export async function createSni(options: SniOptions, needs: SniNeeds): Promise<Sni & { stop(): void }> {
  const { maxContexts: most = 10_000, maxBytes = 512 * 1024 * 1024, tls = {} } = options;
  requirePositive({ maxContexts: most, maxBytes });
  const endpoint = endpointOf(options);
  const { clock, log } = needs;
  const forAsked = options.onDemand === true ? maxBytes / 16 : 0;
  const contexts = createContexts({ most, mostWeight: (maxBytes * 3) / 4 - forAsked }, tls, needs);
  const names = createKnownNames({ most: most * namesPerContext, mostWeight: maxBytes / 8, endpoint }, needs);
  const byDefault = await createDefault(options.defaultCertificate, tls, needs);
  const asked = forAsked > 0 ? await createAskedNames({ tls, mostWeight: forAsked }, needs) : undefined;
  const listeners = new Set<(change: SniChange) => void>();
  const reading = new Map<string, Promise<readonly SecureContext[]>>();
  const counts = { hits: 0, misses: 0, defaults: 0 };
  const watch = await createWatch((changes) => void outdate(changes), needs);

  async function outdate(changes: readonly ServedChange[] | 'all'): Promise<void> {
    try {
      const outdated = await names.outdate(changes);
      for (const listener of listeners) listener({ changes, names: outdated });
    } catch (error) {
      log.warn({ error }, 'what changed could not be read: all is read anew');
      await names.outdate('all');
    }
  }

  /** undefined: it has to be read. */
  function fromMemory(name: string): readonly SecureContext[] | undefined {
    const known = names.get(name);
    if (known === undefined || known.isOutdated || clock.now() >= known.until) return undefined;
    return known.fingerprints.length === 0 ? nothingFor(name) : ready(known.fingerprints);
  }

  function ready(fingerprints: readonly string[]): readonly SecureContext[] | undefined {
    const found = fingerprints.flatMap((fingerprint) => contexts.ready(fingerprint) ?? []);
    return found.length === fingerprints.length ? found : undefined;
  }

  function defaultContext(): readonly SecureContext[] {
    counts.defaults += 1;
    return [byDefault.context()];
  }

  /** Nothing is held for it, as the store says. */
  function nothingFor(name: string): readonly SecureContext[] {
    const context = asked?.standIn(name);
    if (context === undefined) return defaultContext();
    counts.defaults += 1;
    return [context];
  }

  function lastKnown(name: string): readonly SecureContext[] | undefined {
    const { fingerprints = [] } = names.get(name) ?? {};
    return fingerprints.length === 0 ? undefined : ready(fingerprints);
  }

  async function read(name: string): Promise<readonly SecureContext[]> {
    const asOf = names.version;
    const shown = await readShown({ name, now: clock.now(), endpoint }, needs);
    const made = await Promise.all(shown.certificates.map((certificate) => contexts.of(certificate)));
    const found = made.filter((context) => context !== undefined);
    // One that was purged in between is told by a change of its own.
    if (found.length === made.length) names.put(name, shown, asOf);
    return found;
  }

  /** undefined: not now. */
  async function readOnce(name: string): Promise<readonly SecureContext[] | undefined> {
    const running = reading.get(name);
    if (running === undefined && reading.size >= mostReading) return undefined;
    const own = running ?? read(name).finally(() => reading.delete(name));
    reading.set(name, own);
    const late = () => new AgentError('store.unavailable', `the store did not answer in ${readMs} ms`);
    return inTime({ clock, ms: readMs, late }, () => own);
  }

  async function find(name: string): Promise<readonly SecureContext[]> {
    const last = watch.isAway ? lastKnown(name) : undefined;
    if (last !== undefined) return last;
    try {
      const found = await readOnce(name);
      if (found === undefined) return lastKnown(name) ?? defaultContext();
      return found.length === 0 ? nothingFor(name) : found;
    } catch (error) {
      log.debug({ name, error }, 'the certificate of a name could not be read');
      return lastKnown(name) ?? defaultContext();
    }
  }

  /** At once where it is in memory, by far the most often; names are keys in their one written form. */
  function answer(servername: string, done: (contexts: readonly SecureContext[]) => void): void {
    const known = fromMemory(servername);
    if (known !== undefined) {
      counts.hits += 1;
      done(known);
      return;
    }
    const name = hostName(servername);
    const other = name === undefined ? defaultContext() : fromMemory(name);
    if (other !== undefined) {
      done(other);
      return;
    }
    counts.misses += 1;
    void find(name ?? servername).then(done);
  }

  const SNICallback: Sni['SNICallback'] = function (servername, done) {
    answer(servername, ([first, second]) => {
      // Node takes one certificate of a context, so a pair has two.
      if (second !== undefined && this instanceof TLSSocket && !this.destroyed) this.setKeyCert(second);
      done(null, first);
    });
  };

  return {
    SNICallback,
    // By the server's order ECDSA comes first: the RSA default is then never shown beside the certificate of a name.
    serverOptions: () => ({ ...tls, ...byDefault.certificate(), honorCipherOrder: true, SNICallback }),
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stats: () => ({
      contexts: contexts.size,
      names: names.size,
      bytes: contexts.bytes + names.bytes + (asked?.bytes ?? 0),
      ...counts,
      isStoreAway: watch.isAway,
    }),
    stop: watch.stop,
  };
}

/** undefined: no server has this name, whatever a client asks for. */
function hostName(servername: string): string | undefined {
  if (refusal(servername) !== undefined) return undefined;
  const name = parseName(servername);
  return isWildcard(name) ? undefined : name;
}

function endpointOf({ endpoint }: SniOptions): string | undefined {
  if (endpoint === undefined) return undefined;
  const refused = isEndpoint(endpoint)
    ? bindingRefusal(endpoint)
    : 'an endpoint is service:port, like web:443';
  if (refused !== undefined) throw new AgentError('config.invalid', `endpoint "${endpoint}": ${refused}`);
  return parseBindingName(endpoint);
}

function requirePositive(limits: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(limits))
    if (!Number.isSafeInteger(value) || value < 1)
      throw new AgentError('config.invalid', `${name} must be a whole number of at least 1, not ${value}`);
}
