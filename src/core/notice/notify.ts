import type { Notice, Notifier, Ports } from '../ports.ts';
import { editRenewal } from '../records.ts';
import { dueOfLineage } from '../renewal/next-action.ts';
import type { Event, Instant } from '../types.ts';
import { noticeOf } from './notices.ts';
import { isReminded } from './reminders.ts';
import { send } from './sending.ts';
import { standIns, type TakersNeeds, takersOf } from './takers.ts';

export type NotifyNeeds = TakersNeeds &
  Pick<Ports, 'events' | 'wishes' | 'certificates' | 'renewals' | 'outbox' | 'changes' | 'locks' | 'clock'>;

/** The group under which notifications read the event stream, and the entry of the due index that wakes them. */
export const fanOutId = 'events';

const batch = 100;
/** So long nobody goes on with the delivery of a killed worker; a living one prolongs it. */
const lockMs = 15_000;
/** Whoever is left after this waits for the next tick, so that a notifier that hangs frees its worker. */
const roundMs = 60_000;
/** The file may define a notifier again at any time. */
const orphanedMs = 10 * 60_000;
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
  const takers = takersOf(domain, needs);
  for (const taker of takers) await put(taker, [notice], needs);
  return takers.map(({ name }) => name);
}

async function put(taker: Notifier, notices: readonly Notice[], needs: NotifyNeeds): Promise<void> {
  await needs.outbox.add(taker.name, taker.digest ? notices.flatMap(addressed) : notices);
  await needs.changes.commit({ due: [{ job: 'notify', id: taker.name, at: needs.clock.now() }] });
}

/** One notice a recipient, so that each is delivered, limited and retried alone; without recipients the notifier's own. */
function addressed(notice: Notice): readonly Notice[] {
  if (notice.recipients.length === 0) return [notice];
  const [event = ''] = notice.id.split(' ');
  return notice.recipients.map((recipient) => ({
    ...notice,
    id: `${event} ${recipient}`,
    recipients: [recipient],
  }));
}

/**
 * Sends what waits for one notifier: people get one message with a list, and at most one an hour each; programs get
 * everything at once, in the order of the events. What was not taken stays for the next try.
 */
export async function deliver(name: string, needs: NotifyNeeds, signal: AbortSignal): Promise<void> {
  const lock = await needs.locks.tryAcquire(`notify:${name}`, lockMs);
  if (lock === undefined) return;
  try {
    const notifier = needs.notifiers.get(name);
    for (;;) {
      const waiting = await fresh(name, needs);
      const next =
        notifier === undefined
          ? await handOver(name, waiting, needs)
          : await deliverAll(notifier, waiting, needs, signal);
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

/**
 * The file no longer defines the notifier: those who stand in for it get what waited there. Without any it waits for
 * one to come; resolves with when to look again.
 */
async function handOver(
  name: string,
  waiting: readonly Notice[],
  needs: NotifyNeeds,
): Promise<Instant | undefined> {
  const takers = standIns(needs);
  if (waiting.length === 0) return undefined;
  if (takers.length === 0) return needs.clock.now() + orphanedMs;
  for (const taker of takers) await put(taker, waiting, needs);
  await needs.outbox.remove(
    name,
    waiting.map(({ id }) => id),
  );
  return undefined;
}

/** Of the reminders about one lineage for one recipient the newest says it all. */
function superseded(notices: readonly Notice[]): readonly Notice[] {
  const reminders = notices.filter(({ kind }) => kind === 'reminder' || kind === 'expiring');
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
  const endAt = needs.clock.now() + roundMs;
  for (const [recipient, notices] of byRecipient(notifier, waiting)) {
    const isOver = needs.clock.now() >= endAt;
    const wait = isOver ? endAt : await send(notifier, { notices, recipient }, needs, signal);
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
    const now = needs.clock.now();
    const isOver = !isReminded({ lineage, certificate, state, now });
    if (state.reminders.count >= reminder.number || isOver) return undefined;
    const next = { ...state, reminders: { ...state.reminders, count: reminder.number } };
    return { putRenewals: [next], due: dueOfLineage({ lineage, certificate, state: next, now }) };
  });
}
