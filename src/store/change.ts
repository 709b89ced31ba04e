import type { Change, PutOff } from '../core/ports.ts';
import { deploymentId } from '../core/records.ts';
import type {
  Binding,
  Bundle,
  Deployment,
  DueJob,
  Lineage,
  LineageId,
  NewEvent,
  RenewalState,
  Task,
} from '../core/types.ts';
import { backupMark } from './backup.ts';
import type { Base } from './base.ts';
import { decodeMaybe, encode, encodeGeneration, encodeIssuance, encodeVersioned } from './codec.ts';
import { dueMember } from './due.ts';
import type { Keys } from './keys.ts';
import type { Argument } from './script.ts';
import { servedWrites } from './served.ts';
import { stagingLifeMs, usedFor } from './staging.ts';
import { encodeTask, taskLifeMs } from './tasks.ts';

/** A condition that the commit script checks before it writes anything. */
export interface Check {
  readonly kind: 'fence' | 'version' | 'generation' | 'held';
  readonly key: string;
  readonly a: Argument;
  readonly b?: Argument | undefined;
}

/** A Redis command on one key, or one of the commit script's own. */
export interface Write {
  readonly command: string;
  readonly key: string;
  readonly args: readonly Argument[];
}

/** Events kept at least; the stream is trimmed by whole nodes. */
const eventsKept = 100_000;
/** Lua cannot unpack more arguments than some thousands. */
const fieldsAtOnce = 500;

export function checksOf(change: Change, keys: Keys): readonly Check[] {
  const { fence, generation, point, putRenewals = [], putDeployments = [] } = change;
  const checks: Check[] = [];
  if (fence !== undefined) checks.push({ kind: 'fence', key: keys.lock(fence.lock), a: fence.number });
  for (const { lineage, version } of putRenewals)
    checks.push({ kind: 'version', key: keys.renewals, a: lineage, b: version });
  for (const { lineage, target, version } of putDeployments)
    checks.push({ kind: 'version', key: keys.deployments(lineage), a: target, b: version });
  if (generation !== undefined)
    checks.push({
      kind: 'generation',
      key: keys.lineage(generation.certificate.lineage),
      a: generation.certificate.generation,
    });
  if (point !== undefined)
    checks.push({ kind: 'held', key: keys.lineage(point.lineage), a: `f${point.generation}` });
  return checks;
}

/** A change as a flat list of writes. Reads only what a removal needs to know. */
export async function writesOf(change: Change, base: Base): Promise<readonly Write[]> {
  const { keys, crypt, clock } = base;
  const removals = await Promise.all((change.removeLineages ?? []).map((id) => removeLineage(id, base)));
  return [
    ...wishWrites(change, keys),
    ...(change.putLineages ?? []).flatMap((lineage) => putLineage(lineage, keys)),
    ...removals.flat(),
    ...(change.generation === undefined
      ? []
      : [addGeneration(change.generation, base), write('ZADD', keys.due, ...backupMark(clock.now()))]),
    ...(change.point === undefined
      ? []
      : [write('HSET', keys.lineage(change.point.lineage), 'c', change.point.generation)]),
    ...stagingWrites(change, keys),
    ...bindingWrites(change, keys),
    ...servedWrites(change, keys),
    ...hashWrites(keys.renewals, (change.putRenewals ?? []).map(renewalField)),
    ...(change.putIssuance === undefined
      ? []
      : hashWrites(keys.issuances, [
          [change.putIssuance.lineage, encodeIssuance(change.putIssuance, crypt)],
        ])),
    ...(change.dropIssuance === undefined ? [] : [write('HDEL', keys.issuances, change.dropIssuance)]),
    ...(change.wellIssuer === undefined
      ? []
      : [keys.issuerFaults, keys.issuerBreakers].map((key) => write('HDEL', key, change.wellIssuer ?? ''))),
    ...(change.putDeployments ?? []).flatMap((deployment) => putDeployment(deployment, keys)),
    ...(change.removeDeployments ?? []).flatMap(({ lineage, target }) => [
      write('HDEL', keys.deployments(lineage), target),
      write('SREM', keys.leaving, deploymentId(target, lineage)),
    ]),
    ...(change.putTasks ?? []).flatMap((task) => putTask(task, base)),
    ...dueWrites(change.due ?? [], keys),
    ...(change.putOff === undefined ? [] : [putOff(change.putOff, keys)]),
    ...eventWrites(change.events ?? [], { keys, now: clock.now() }),
  ];
}

function write(command: string, key: string, ...args: readonly Argument[]): Write {
  return { command, key, args };
}

function wishWrites(change: Change, keys: Keys): readonly Write[] {
  const { putDomains = [], removeDomains = [], putHosts = [], removeHosts = [] } = change;
  const { putGroups = [], removeGroups = [] } = change;
  return [
    ...removeDomains.flatMap((name) => [
      write('HDEL', keys.domains, name),
      write('DEL', keys.hosts(name)),
      write('DEL', keys.groups(name)),
    ]),
    ...hashWrites(
      keys.domains,
      putDomains.map((domain) => [domain.name, encode(domain)]),
    ),
    ...removeHosts.map(({ domain, name }) => write('HDEL', keys.hosts(domain), name)),
    ...putHosts.map((host) => write('HSET', keys.hosts(host.domain), host.name, encode(host))),
    ...removeGroups.map(({ domain, label }) => write('HDEL', keys.groups(domain), label)),
    ...putGroups.map((group) => write('HSET', keys.groups(group.domain), group.label, encode(group))),
  ];
}

/** The pointer and the numbers live in fields of their own, which only a generation changes. */
function putLineage({ current: _, generations: __, ...record }: Lineage, keys: Keys): readonly Write[] {
  return [
    write('HSET', keys.lineage(record.id), 'r', encode(record)),
    write('SADD', keys.lineages, record.id),
    write('SADD', keys.lineagesOf(record.domain), record.id),
    ...(record.source === 'upload' ? [write('SADD', keys.uploadsOf(record.domain), record.id)] : []),
  ];
}

async function removeLineage(id: LineageId, { link, keys, tolerate }: Base): Promise<readonly Write[]> {
  const [text, targets] = await link.run((client) =>
    Promise.all([client.hget(keys.lineage(id), 'r'), client.hkeys(keys.deployments(id))]),
  );
  const record = tolerate(() => decodeMaybe<Lineage>(text, `the lineage ${id}`), undefined);
  const due = ['issue' as const, 'remind' as const].map((job) => dueMember(job, id));
  const deployments = targets.map((target) => deploymentId(target, id));
  const deploys = deployments.map((one) => dueMember('deploy', one));
  return [
    ...[keys.lineagesOf, keys.uploadsOf].map((index) =>
      write('SREM', index(record?.domain ?? placeOf(id)), id),
    ),
    write('SREM', keys.lineages, id),
    write('forget', keys.lineage(id)),
    write('HDEL', keys.renewals, id),
    write('HDEL', keys.issuances, id),
    write('DEL', keys.deployments(id)),
    ...deployments.map((one) => write('SREM', keys.leaving, one)),
    write('ZREM', keys.due, ...due, ...deploys),
  ];
}

/** Domain of a lineage that we order for, by its id alone. */
function placeOf(id: LineageId): string {
  return id.slice(0, Math.max(0, id.indexOf('/')));
}

function addGeneration(bundle: Bundle, { keys, crypt }: Base): Write {
  const { facts, leafAndKey, chain } = encodeGeneration(bundle, crypt);
  const { lineage, generation } = bundle.certificate;
  const intermediates = chain.flatMap(({ id, der }): Argument[] => [id, Buffer.from(der)]);
  return write('generation', keys.lineage(lineage), generation, facts, leafAndKey, ...intermediates);
}

function stagingWrites({ useStaging, dropStaging }: Change, keys: Keys): readonly Write[] {
  const { id, lineage } = useStaging ?? {};
  return [
    ...(id === undefined || lineage === undefined
      ? []
      : [write('SET', keys.staging(id), usedFor(lineage), 'PX', stagingLifeMs)]),
    ...(dropStaging === undefined ? [] : [write('DEL', keys.staging(dropStaging))]),
  ];
}

function bindingWrites({ putBindings = [], removeBindings = [] }: Change, keys: Keys): readonly Write[] {
  const each = (bindings: readonly Binding[], writeOne: (name: string, lineage: LineageId) => Write) =>
    bindings.flatMap(({ name, lineages }) => lineages.map((lineage) => writeOne(name, lineage)));
  return [
    ...removeBindings.map(({ name }) => write('HDEL', keys.bindings, name)),
    ...each(removeBindings, (name, lineage) => write('SREM', keys.bindingsOf(lineage), name)),
    ...hashWrites(
      keys.bindings,
      putBindings.map((binding) => [binding.name, encode(binding)]),
    ),
    ...each(putBindings, (name, lineage) => write('SADD', keys.bindingsOf(lineage), name)),
  ];
}

function renewalField(state: RenewalState): readonly [string, string] {
  return [state.lineage, encodeVersioned(state)];
}

function putDeployment(deployment: Deployment, keys: Keys): readonly Write[] {
  const { target, lineage, leaving } = deployment;
  return [
    write('HSET', keys.deployments(lineage), target, encodeVersioned(deployment)),
    write(leaving === undefined ? 'SREM' : 'SADD', keys.leaving, deploymentId(target, lineage)),
  ];
}

function putTask(task: Task, { keys, clock }: Base): readonly Write[] {
  const key = keys.task(task.id);
  return [
    write('DEL', key),
    ...hashWrites(key, encodeTask(task)),
    write('PEXPIRE', key, taskLifeMs),
    write('ZADD', keys.tasks, task.createdAt, task.id),
    write('ZREMRANGEBYSCORE', keys.tasks, '-inf', clock.now() - taskLifeMs),
  ];
}

function dueWrites(
  entries: readonly { job: DueJob; id: string; at: number | undefined }[],
  keys: Keys,
): readonly Write[] {
  return entries.map(({ job, id, at }) =>
    at === undefined
      ? write('ZREM', keys.due, dueMember(job, id))
      : write('ZADD', keys.due, at, dueMember(job, id)),
  );
}

function putOff({ job, id, from, at }: PutOff, keys: Keys): Write {
  return write('put-off', keys.due, dueMember(job, id), from ?? '', at);
}

function eventWrites(
  events: readonly NewEvent[],
  { keys, now }: { keys: Keys; now: number },
): readonly Write[] {
  if (events.length === 0) return [];
  return [
    ...events.map((event) =>
      write('XADD', keys.events, 'MAXLEN', '~', eventsKept, '*', 'e', encode({ ...event, at: now })),
    ),
    // LT: readers that are due earlier stay so.
    write('ZADD', keys.due, 'LT', now, dueMember('notify', 'events')),
  ];
}

function hashWrites(key: string, fields: readonly (readonly [string, string])[]): readonly Write[] {
  const writes: Write[] = [];
  for (let start = 0; start < fields.length; start += fieldsAtOnce)
    writes.push(write('HSET', key, ...fields.slice(start, start + fieldsAtOnce).flat()));
  return writes;
}
