import { z } from 'zod';
import { txtLine } from '../core/order/by-hand.ts';
import type { JournalEntry } from '../core/ports.ts';
import type { Instant, LineageId } from '../core/types.ts';
import { defineOperation, type OperationNeeds } from './define.ts';
import { configuredName } from './fields.ts';

/** A TXT record that a person has to add, or may take away. */
export interface PendingRecord {
  readonly action: 'add' | 'remove';
  /** In zone-file form. */
  readonly record: string;
  readonly name: string;
  readonly value: string;
  readonly zone: string;
  readonly account: string;
  readonly lineage: LineageId;
  readonly since: Instant;
  /** Of one to add: the CA looks for it no longer. Absent: it stays wanted. */
  readonly until?: Instant | undefined;
}

export interface PendingAnswer {
  readonly asOf: Instant;
  /** Those to add first, the most urgent of them before the others. */
  readonly records: readonly PendingRecord[];
}

export const dnsPending = defineOperation({
  name: 'dns.pending',
  kind: 'read',
  method: 'GET',
  path: '/dns/pending',
  scope: 'read',
  summary: 'Lists the TXT records that a person has to add by hand, and those that may go.',
  input: z.strictObject({ account: configuredName.optional().describe('Only this DNS account') }),
  run: async ({ account }, needs): Promise<PendingAnswer> => {
    const records = await pendingRecords(needs);
    return {
      asOf: needs.clock.now(),
      records: records.filter((one) => account === undefined || one.account === account),
    };
  },
});

/** From the journal: what is wanted and was not seen yet, and what was seen and is wanted no more. */
export async function pendingRecords({
  journal,
  settings,
}: Pick<OperationNeeds, 'journal' | 'settings'>): Promise<readonly PendingRecord[]> {
  const ofPeople = new Set(
    settings()
      .dnsAccounts.filter(({ programmable }) => !programmable)
      .map(({ name }) => name),
  );
  if (ofPeople.size === 0) return [];
  const entries = (await journal.all()).filter(({ account }) => ofPeople.has(account));
  return entries.flatMap(pendingOf).toSorted(byUrgency);
}

const farAway = 8e15;

function pendingOf(entry: JournalEntry): readonly PendingRecord[] {
  const { name, value, zone, account, lineage, createdAt, leaseUntil, state, shownAt } = entry;
  const isWanted = state !== 'removing';
  if (isWanted === (shownAt !== undefined)) return [];
  return [
    {
      action: isWanted ? 'add' : 'remove',
      record: txtLine({ name, value }),
      name,
      value,
      zone,
      account,
      lineage,
      since: createdAt,
      until: isWanted && leaseUntil < farAway ? leaseUntil : undefined,
    },
  ];
}

function byUrgency(a: PendingRecord, b: PendingRecord): number {
  if (a.action !== b.action) return a.action === 'add' ? -1 : 1;
  return (a.until ?? farAway) - (b.until ?? farAway) || (a.record < b.record ? -1 : 1);
}
