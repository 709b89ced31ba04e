import { dueOfLineage } from './next-action.ts';
import { noticeOf } from './notices.ts';
import type { Notice, Notifier, Ports } from './ports.ts';
import { editRenewal } from './records.ts';
import type { Event, Instant } from './types.ts';

export type NotifyNeeds = Pick<
  Ports,
  | 'events'
  | 'wishes'
  | 'certificates'
  | 'renewals'
  | 'outbox'
  | 'notifiers'
  | 'changes'
  | 'locks'
  | 'clock'
  | 'log'
>;

/** The group under which notifications read the event stream, and the entry of the due index that wakes them. */
export const fanOutId = 'events';

const batch = 100;
const lockMs = 120_000;
const retryMs = 300_000;
const digestMs = 3_600_000;
/** A notice that nobody took for this long is dropped: it would only mislead. */
const staleMs = 7 * 86_400_000;

/** Turns new events into notices for each notifier of their domain; resolves with the notifiers that have work. */
export async function fanOut(needs: NotifyNeeds): Promise<readonly string[]> {
  const touched = await drain(needs);
  await needs.changes.commit({ due: [{ job: 'notify', id: fanOutId, at: undefined }] });
  // An event written between the last read and the removal would wake nobody.
  return [...new Set([...touched, ...(await drain(needs))])];
}

async function drain(needs: NotifyNeeds): Promise<readonly string[]> {
  const touched: string[] = [];
  for (;;) {
    const events = await needs.events.read(fanOutId, batch);
    if (events.length === 0) return touched;
    for (const event of events) touched.push(...(await offer(event, needs)));
    await needs.events.ack(
      fanOutId,
      events.map(({ id }) => id),
    );
  }
}

async function offer(event: Event, needs: NotifyNeeds): Promise<readonly string[]> {
  const domain = event.domain === undefined ? undefined : await needs.wishes.domain(event.domain);
  const notice = domain === undefined ? undefined : noticeOf(event, domain);
  if (domain === undefined || notice === undefined) return [];
  const takers = domain.notify.flatMap((name) => needs.notifiers.get(name) ?? []);
  for (const taker of takers) {
    await needs.outbox.add(taker.name, taker.digest ? addressed(notice) : [notice]);
    await needs.changes.commit({ due: [{ job: 'notify', id: taker.name, at: needs.clock.now() }] });
  }
  return takers.map(({ name }) => name);
}

/** One notice a recipient, so that each is delivered, limited and retried alone; without recipients the notifier's own. */
function addressed(notice: Notice): readonly Notice[] {
  if (notice.recipients.length === 0) return [notice];
  return notice.recipients.map((recipient) => ({
    ...notice,
    id: `${notice.id} ${recipient}`,
    recipients: [recipient],
  }));
}

/**
 * Sends what waits for one notifier: people get one message with a list, and at most one an hour each; programs get
 * everything at once. What was not taken stays for the next try.
 */
export async function deliver(name: string, needs: NotifyNeeds, signal: AbortSignal): Promise<void> {
  const lock = await needs.locks.tryAcquire(`notify:${name}`, lockMs);
  if (lock === undefined) return;
  try {
    const notifier = needs.notifiers.get(name);
    for (;;) {
      const waiting = await fresh(name, needs);
      const next = notifier === undefined ? undefined : await deliverAll(notifier, waiting, needs, signal);
      await needs.changes.commit({ due: [{ job: 'notify', id: name, at: next }] });
      const seen = new Set(waiting.map(({ id }) => id));
      // A notice that came since the look at the outbox found this job running, and its due entry was just overwritten.
      if ((await needs.outbox.list(name)).every(({ id }) => seen.has(id))) return;
    }
  } finally {
    await lock.release();
  }
}

async function fresh(name: string, { outbox, clock, log }: NotifyNeeds): Promise<readonly Notice[]> {
  const all = await outbox.list(name);
  const stale = all.filter(({ at }) => at < clock.now() - staleMs);
  if (stale.length > 0)
    log.warn({ notifier: name, notices: stale.length }, 'notices dropped: nobody took them for a week');
  const gone = new Set([...stale, ...superseded(all)].map(({ id }) => id));
  await outbox.remove(name, [...gone]);
  return all.filter(({ id }) => !gone.has(id));
}

/** Of the reminders about one lineage for one recipient the newest says it all. */
function superseded(notices: readonly Notice[]): readonly Notice[] {
  const reminders = notices.filter(({ kind }) => kind === 'reminder');
  const groups = grouped(reminders, ({ lineage, recipients }) => [lineage, ...recipients].join(' '));
  return [...groups.values()].flatMap((group) => group.slice(0, -1));
}

/** Resolves with when to try again, if anything is left. */
async function deliverAll(
  notifier: Notifier,
  waiting: readonly Notice[],
  needs: NotifyNeeds,
  signal: AbortSignal,
): Promise<Instant | undefined> {
  const waits: Instant[] = [];
  for (const [recipient, notices] of byRecipient(notifier, waiting)) {
    const openAt = notifier.digest ? await openFrom(notifier.name, recipient, needs) : undefined;
    const wait = openAt ?? (await send(notifier, { notices, recipient }, needs, signal));
    if (wait !== undefined) waits.push(wait);
    else await settle(notifier, notices, needs);
  }
  return waits.length === 0 ? undefined : Math.min(...waits);
}

function byRecipient(
  notifier: Notifier,
  notices: readonly Notice[],
): ReadonlyMap<string | undefined, readonly Notice[]> {
  return grouped(notices, ({ recipients }) => (notifier.digest ? recipients[0] : undefined));
}

function grouped<T, K>(items: readonly T[], keyOf: (item: T) => K): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

async function settle(notifier: Notifier, notices: readonly Notice[], needs: NotifyNeeds): Promise<void> {
  for (const notice of notices) await countReminder(notice, needs);
  await needs.outbox.remove(
    notifier.name,
    notices.map(({ id }) => id),
  );
}

async function openFrom(
  notifier: string,
  recipient: string | undefined,
  needs: NotifyNeeds,
): Promise<Instant | undefined> {
  const last = await needs.outbox.lastSentAt(notifier, recipient ?? '');
  const now = needs.clock.now();
  // A delivery that lies well ahead was noted by a clock that jumped.
  const isSoon = last !== undefined && last > now - digestMs && last < now + digestMs;
  return isSoon ? last + digestMs : undefined;
}

/** undefined: taken. Otherwise when to try again. */
async function send(
  notifier: Notifier,
  { notices, recipient }: { notices: readonly Notice[]; recipient: string | undefined },
  needs: NotifyNeeds,
  signal: AbortSignal,
): Promise<Instant | undefined> {
  try {
    await notifier.send(notices, recipient, signal);
    if (notifier.digest) await needs.outbox.setLastSentAt(notifier.name, recipient ?? '', needs.clock.now());
    return undefined;
  } catch (err) {
    needs.log.warn({ notifier: notifier.name, err }, 'notice not delivered');
    return needs.clock.now() + retryMs;
  }
}

/** A reminder counts when at least one notifier took it; a second one that takes the same changes nothing. */
async function countReminder(notice: Notice, needs: NotifyNeeds): Promise<void> {
  const { lineage: id, reminder } = notice;
  if (id === undefined || reminder === undefined) return;
  const [lineage, certificate] = await Promise.all([
    needs.certificates.lineage(id),
    needs.certificates.certificate(id),
  ]);
  if (lineage === undefined) return;
  await editRenewal(id, needs, (state) => {
    if (state.reminders.count >= reminder.number || state.failingSince === undefined) return undefined;
    const next = { ...state, reminders: { ...state.reminders, count: reminder.number } };
    return {
      putRenewals: [next],
      due: dueOfLineage({ lineage, certificate, state: next, now: needs.clock.now() }),
    };
  });
}
