import { z } from 'zod';
import { AgentError } from '../src/core/errors.ts';
import { isUnder, parentOf } from '../src/core/names.ts';
import type { ApplyResult, DnsProvider, ProviderTraits, TxtChange, ZoneRef } from '../src/core/provider.ts';
import { signMessage, type TsigKey, type TsigVerdict, verifyReply } from '../src/dns/tsig.ts';
import { encodeUpdate, query, sendMessage, sizeOfUpdate } from '../src/dns/wire.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { secretText } from '../src/plugin/fields.ts';
import { resolveServer, serverAddress } from './server-address.ts';

const options = z.strictObject({
  server: serverAddress.describe('The primary server: host, host:port or [IPv6]:port; port 53 when absent.'),
  tsig: z
    .strictObject({
      name: z.string().min(1).describe('Name of the key at the server.'),
      algorithm: z
        .enum(['hmac-sha256', 'hmac-sha384', 'hmac-sha512'])
        .default('hmac-sha256')
        .describe('Algorithm of the key at the server.'),
      secret: secretText()
        .refine((value) => isBase64(value.reveal()), 'must be base64, as in the key file of the server')
        .describe('The key itself, base64.'),
    })
    .optional()
    .describe('The key that signs the updates (RFC 8945); absent: the server must allow this address.'),
  transport: z
    .enum(['auto', 'tcp', 'udp'])
    .default('auto')
    .describe('auto: UDP for updates up to 512 octets, TCP above.'),
  ttl: z.int().min(1).max(86_400).default(60).describe('Seconds; of the records made.'),
});

type Options = z.infer<typeof options>;

const timeoutMs = 10_000;

/** A message is at most 65,535 octets over TCP; the rest of it (zone, key name, signature) stays far below 5,000. */
const tcpRoom = 60_000;
/** Of the 512 octets of a UDP message, what zone and signature usually leave. */
const udpRoom = 300;

const traits: ProviderTraits = {
  model: 'rrset-atomic',
  serialize: 'none',
  batch: { maxChanges: 500, maxCost: tcpRoom, costOf: sizeOfUpdate, atomic: true },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  rate: [],
  ttl: { min: 1, preferred: 60 },
  propagation: { signal: 'authoritative', typicalMs: 2000, timeoutMs: 300_000 },
};

export const rfc2136 = defineDnsProvider<Options>({
  name: 'rfc2136',
  title: 'DNS UPDATE (RFC 2136): BIND, Knot, PowerDNS, Windows DNS',
  docs: 'https://www.rfc-editor.org/rfc/rfc2136',
  options,
  traits,
  leastPrivilege: [
    'BIND, in the zone:    update-policy { grant acme-key. wildcard *.example.com. TXT; };',
    'Knot, in an acl:      action: update, update-type: [TXT], key: acme-key',
    'PowerDNS:             pdnsutil set-meta example.com TSIG-ALLOW-DNSUPDATE acme-key',
  ].join('\n'),
  notes: [
    'Knot looks at the key only in changes of a zone: a check of the account does not tell a wrong one there.',
    'PowerDNS answers REFUSED for a wrong key, a wrong secret and a wrong clock alike.',
    'GSS-TSIG (Active Directory) is not spoken; use the provider exec with "nsupdate -g".',
  ],
  create,
});

function create(config: Options, context: PluginContext): DnsProvider {
  const { clock } = context;
  const room = config.transport === 'udp' ? udpRoom : tcpRoom;

  async function findZone(name: string, signal: AbortSignal): Promise<ZoneRef | undefined> {
    const server = await resolveServer(config.server, context, signal);
    for (let at: string | undefined = name; at !== undefined; at = parentOf(at)) {
      const reply = await query(server, { name: at, type: 'SOA' }, { clock, signal, timeoutMs });
      if (reply.rcode === 'SERVFAIL') {
        throw unavailable(`${config.server.host} fails to answer for ${at}; see its log`);
      }
      // Not authoritative: the name is delegated to other servers, or lies in no zone of this one.
      if (!reply.aa) return undefined;
      const soa = [...reply.answers, ...reply.authorities].find(
        (record) => record.type === 'SOA' && isUnder(name, record.name),
      );
      if (soa !== undefined) return { name: soa.name };
    }
    return undefined;
  }

  async function apply(
    zone: ZoneRef,
    changes: readonly TxtChange[],
    signal: AbortSignal,
  ): Promise<ApplyResult> {
    const { rcode, verdict } = await update(zone.name, changes, signal);
    if (rcode === 'NOERROR' && verdict.kind === 'valid') {
      return { outcomes: changes.map(() => ({ ok: true })) };
    }
    throw refusal({ zone: zone.name, rcode, verdict, config, now: clock.now() });
  }

  async function update(zone: string, changes: readonly TxtChange[], signal: AbortSignal) {
    const server = await resolveServer(config.server, context, signal);
    const key = keyOf(config);
    const plain = encodeUpdate(zone, changes);
    const signed = key === undefined ? undefined : signMessage(plain, key, clock.now());
    const { reply, rcode } = await sendMessage(server, signed?.message ?? plain, {
      clock,
      signal,
      timeoutMs,
      transport: config.transport,
      about: `an update of zone ${zone}`,
    }).catch((error: unknown) => {
      throw signal.aborted ? error : unavailable(error);
    });
    const verdict: TsigVerdict =
      key === undefined || signed === undefined
        ? { kind: 'valid' }
        : verifyReply(reply, key, { requestMac: signed.mac, now: clock.now() });
    return { rcode, verdict };
  }

  return {
    traits: {
      ...traits,
      batch: { ...traits.batch, maxCost: room },
      ttl: { ...traits.ttl, preferred: config.ttl },
    },
    findZone,
    apply,
    /** An update of nothing, in no zone of anybody: the server checks key and clock before it refuses that. */
    async check(signal) {
      const { rcode, verdict } = await update('.', [], signal);
      if (verdict.kind === 'refused' || verdict.kind === 'forged') {
        throw refusal({ zone: '.', rcode, verdict, config, now: clock.now() });
      }
    },
  };
}

function keyOf({ tsig }: Options): TsigKey | undefined {
  if (tsig === undefined) return undefined;
  const name = tsig.name.toLowerCase().replace(/\.$/, '');
  return { name, algorithm: tsig.algorithm, secret: Buffer.from(tsig.secret.reveal(), 'base64') };
}

function unavailable(error: unknown): AgentError {
  if (!(error instanceof Error)) return new AgentError('provider.unavailable', String(error));
  return new AgentError('provider.unavailable', error.message, { cause: error });
}

interface Refused {
  readonly zone: string;
  readonly rcode: string;
  readonly verdict: TsigVerdict;
  readonly config: Options;
  readonly now: number;
}

function refusal({ zone, rcode, verdict, config, now }: Refused): AgentError {
  const server = `${config.server.host}:${config.server.port}`;
  const key = config.tsig === undefined ? 'an unsigned update' : `key ${config.tsig.name}`;
  if (verdict.kind === 'refused') return refusedSignature(verdict, { server, config, now });
  if (verdict.kind === 'forged') {
    return new AgentError(
      'provider.unavailable',
      `the answer of ${server} is not authentic: ${verdict.reason}`,
    );
  }
  switch (rcode) {
    case 'NOERROR':
      return new AgentError(
        'provider.unavailable',
        `the answer of ${server} is not signed; it cannot be trusted`,
      );
    case 'REFUSED':
      return new AgentError(
        'provider.forbidden',
        `${server} refuses ${key} this change in zone ${zone}; allow TXT updates for it there (update-policy, allow-update or acl), and check name and secret of the key`,
      );
    case 'NOTAUTH':
      return new AgentError(
        'dns.zoneNotFound',
        `${server} is not authoritative for zone ${zone}; name its primary server`,
      );
    case 'SERVFAIL':
      return new AgentError('provider.unavailable', `${server} failed to update zone ${zone}; see its log`);
    case 'NOTIMP':
      return new AgentError('provider.invalid', `${server} does not take DNS updates; enable them there`);
    default:
      return new AgentError('provider.invalid', `${server} refuses the update of zone ${zone}: ${rcode}`);
  }
}

function refusedSignature(
  verdict: TsigVerdict & { kind: 'refused' },
  { server, config, now }: { readonly server: string; readonly config: Options; readonly now: number },
): AgentError {
  const key = `key ${config.tsig?.name}`;
  const message = {
    BADSIG: `${server} has another secret for ${key}; copy it again`,
    BADKEY: `${server} has no ${key} with algorithm ${config.tsig?.algorithm}; check name and algorithm`,
    BADTIME: `the clocks of ${server} and of this machine differ${differenceOf(verdict.serverTime, now)}; synchronise them`,
  }[verdict.error];
  return new AgentError('provider.auth', message ?? `${server} refuses ${key}: ${verdict.error}`);
}

function differenceOf(serverTime: number | undefined, now: number): string {
  return serverTime === undefined ? '' : ` by ${Math.round(Math.abs(serverTime - now) / 1000)} s`;
}

function isBase64(text: string): boolean {
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text) && text !== '';
}
