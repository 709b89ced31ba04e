import type { ResourceRecordSet, Route53Client, RRType } from '@aws-sdk/client-route-53';
import { AgentError, isAgentError } from '../src/core/errors.ts';
import { isUnder } from '../src/core/names.ts';
import type { DnsProvider, TxtRecord, ZoneRef } from '../src/core/provider.ts';
import { awsClientConfig, awsNotes } from '../src/plugin/aws-client.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { withTtl } from '../src/plugin/fields.ts';
import { unquoteTxt } from '../src/plugin/quoting.ts';
import { toProviderError } from './route53-errors.ts';
import { options, policy, type Route53Options, traits } from './route53-options.ts';
import { type ReadPage, readAllSets, readSets } from './route53-pages.ts';
import { nameFromRoute53, planChanges, refuseTooLarge, type SetChange, type TxtSet } from './route53-sets.ts';

type Sdk = typeof import('@aws-sdk/client-route-53');

interface Call {
  readonly sdk: Sdk;
  readonly client: Route53Client;
  /** Rejects with AgentError, or with the signal's reason as soon as it aborts. */
  send<T>(doing: string, run: (options: { abortSignal: AbortSignal }) => Promise<T>): Promise<T>;
}

const pageSize = 300;

export const route53 = defineDnsProvider<Route53Options>({
  name: 'route53',
  title: 'Amazon Route 53',
  docs: 'https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/',
  options,
  traits,
  leastPrivilege: JSON.stringify(policy, undefined, 2),
  notes: [
    ...awsNotes,
    'A change is taken as live when AWS reports INSYNC, usually within a minute.',
    'Private zones are never used. A name with TXT records under a routing policy cannot be used.',
  ],
  create,
});

function create(config: Route53Options, context: PluginContext): DnsProvider {
  const connect = createConnection(config, context);
  /** Ids of zones whose list did not say what Route 53 then compared with: until a change goes through, no order is relied on. */
  const doubted = new Set<string>();
  return {
    traits: withTtl(traits, config.ttl),
    async findZone(name, signal) {
      const call = await connect(signal);
      return config.hostedZoneId === undefined
        ? findByName(call, name)
        : findById(call, config.hostedZoneId, name);
    },
    async apply(zone, changes, signal) {
      const call = await connect(signal);
      const key = zone.id ?? zone.name;
      const names = changes.map((change) => change.name);
      const listed = await readSets(pagesOf(call, zone), { names, oneByOne: doubted.has(key) });
      const { batch, outcomes } = planChanges(listed, changes);
      if (batch.length === 0) return { outcomes };
      refuseTooLarge(batch, zone.name);
      try {
        const ticket = await submit(call, zone, batch);
        doubted.delete(key);
        return { outcomes, ticket };
      } catch (error) {
        if (isAgentError(error, 'provider.conflict')) doubted.add(key);
        throw error;
      }
    },
    async live(ticket, signal) {
      const { sdk, client, send } = await connect(signal);
      const command = new sdk.GetChangeCommand({ Id: ticket });
      try {
        const { ChangeInfo } = await send('to tell the state of a change', (o) => client.send(command, o));
        return ChangeInfo?.Status === 'INSYNC';
      } catch (error) {
        // A new change is not known everywhere at once.
        if (isAgentError(error) && error.facts.vendorCode === 'NoSuchChange') return false;
        throw error;
      }
    },
    async listTxt(zone, names, signal) {
      const call = await connect(signal);
      const sets =
        names === undefined
          ? await readAllSets(pagesOf(call, zone))
          : await readSets(pagesOf(call, zone), { names, oneByOne: false });
      return sets.flatMap(toRecords);
    },
    async check(signal) {
      const call = await connect(signal);
      if (config.hostedZoneId !== undefined) await getZone(call, config.hostedZoneId);
      else await listZonesFrom(call, undefined);
    },
  };
}

/** The SDK is loaded and the client made at the first call: most agents never need them. */
function createConnection(config: Route53Options, { clock, http }: PluginContext) {
  let opened: Promise<Pick<Call, 'sdk' | 'client'>> | undefined;

  async function open(): Promise<Pick<Call, 'sdk' | 'client'>> {
    const sdk = await import('@aws-sdk/client-route-53');
    return { sdk, client: new sdk.Route53Client(awsClientConfig(config, { http })) };
  }

  return async (signal: AbortSignal): Promise<Call> => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    const send: Call['send'] = (doing, run) =>
      run({ abortSignal: signal }).catch((error: unknown) => {
        if (signal.aborted) throw signal.reason;
        throw toProviderError(error, { doing, now: clock.now() });
      });
    return { ...(await opened), send };
  };
}

async function findByName(call: Call, name: string): Promise<ZoneRef | undefined> {
  for (let at = name; at !== ''; at = at.slice(at.indexOf('.') + 1 || at.length)) {
    // The list starts at the name and goes on with others; private zones of that name come among them.
    const zones = await listZonesFrom(call, at);
    const found = zones.filter((zone) => zone.name === at && !zone.isPrivate);
    if (found.length > 1) {
      const ids = found.map((zone) => zone.id).join(', ');
      throw new AgentError(
        'dns.zoneNotFound',
        `Route 53 has ${found.length} public zones ${at} (${ids}); set hostedZoneId to the one that is delegated`,
      );
    }
    const [zone] = found;
    if (zone !== undefined) return { name: zone.name, id: zone.id };
  }
  return undefined;
}

async function findById(call: Call, id: string, name: string): Promise<ZoneRef | undefined> {
  const zone = await getZone(call, id);
  return isUnder(name, zone) ? { name: zone, id } : undefined;
}

async function getZone({ sdk, client, send }: Call, id: string): Promise<string> {
  const command = new sdk.GetHostedZoneCommand({ Id: id });
  const { HostedZone } = await send(`to show the hosted zone ${id}`, (o) => client.send(command, o));
  return nameFromRoute53(HostedZone?.Name ?? '');
}

async function listZonesFrom({ sdk, client, send }: Call, name: string | undefined) {
  const command = new sdk.ListHostedZonesByNameCommand({ ...(name !== undefined && { DNSName: name }) });
  const { HostedZones = [] } = await send('to list hosted zones', (o) => client.send(command, o));
  return HostedZones.map((zone) => ({
    name: nameFromRoute53(zone.Name ?? ''),
    id: (zone.Id ?? '').replace('/hostedzone/', ''),
    isPrivate: zone.Config?.PrivateZone === true,
  }));
}

function pagesOf({ sdk, client, send }: Call, zone: ZoneRef): ReadPage {
  return async (start) => {
    const command = new sdk.ListResourceRecordSetsCommand({
      HostedZoneId: zone.id,
      MaxItems: pageSize,
      StartRecordName: start?.name,
      StartRecordType: start?.type as RRType | undefined,
      StartRecordIdentifier: start?.identifier,
    });
    const doing = `to list the records of ${zone.name}`;
    const answer = await send(doing, (o) => client.send(command, o));
    const sets = answer.ResourceRecordSets ?? [];
    return {
      sets: sets.filter((set) => set.Type === 'TXT').map(toTxtSet),
      lastName: nameFromRoute53(sets.at(-1)?.Name ?? ''),
      ...(answer.IsTruncated === true && {
        next: {
          name: answer.NextRecordName ?? '',
          type: answer.NextRecordType ?? '',
          identifier: answer.NextRecordIdentifier,
        },
      }),
    };
  };
}

function toTxtSet(set: ResourceRecordSet): TxtSet {
  return {
    name: nameFromRoute53(set.Name ?? ''),
    ttl: set.TTL ?? 0,
    values: (set.ResourceRecords ?? []).map((record) => record.Value ?? ''),
    routed: set.SetIdentifier !== undefined,
  };
}

function toRecords({ name, ttl, values }: TxtSet): TxtRecord[] {
  return values.map((value) => ({ name, ttl, value: unquoteTxt(value, 8) }));
}

/** All of the batch or nothing; gives the id of the change. */
async function submit(
  { sdk, client, send }: Call,
  zone: ZoneRef,
  batch: readonly SetChange[],
): Promise<string> {
  const command = new sdk.ChangeResourceRecordSetsCommand({
    HostedZoneId: zone.id,
    ChangeBatch: {
      Changes: batch.map(({ action, set }) => ({
        Action: action,
        ResourceRecordSet: {
          Name: set.name,
          Type: 'TXT',
          TTL: set.ttl,
          ResourceRecords: set.values.map((Value) => ({ Value })),
        },
      })),
    },
  });
  const doing = `to change the records of ${zone.name}`;
  const { ChangeInfo } = await send(doing, (o) => client.send(command, o));
  return (ChangeInfo?.Id ?? '').replace('/change/', '');
}
