import type { Instant } from '../core/types.ts';
import type { PendingRecord } from '../operations/dns-pending.ts';
import { relative } from '../operations/words.ts';
import { table } from './print.ts';

/** The records in a form to paste. */
export function renderPending(records: readonly PendingRecord[], now: Instant): string {
  return table(
    ['ACTION', 'WITHIN', 'CERTIFICATE', 'RECORD'],
    records.map(({ action, until, lineage, record }) => [
      action,
      until === undefined ? '-' : relative(until, now),
      lineage,
      record,
    ]),
  );
}
