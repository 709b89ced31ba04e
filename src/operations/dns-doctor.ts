import { z } from 'zod';
import type { DnsFinding } from '../core/dns-care.ts';
import { doctorErrand, trialArgument, trialItems } from '../core/dns-doctor.ts';
import type { Finding } from '../core/ports.ts';
import type { Task, TaskItem } from '../core/types.ts';
import { defineOperation, type OperationNeeds, type TaskStarted } from './define.ts';
import { hostName } from './fields.ts';
import { domainFor } from './refusals.ts';
import { commandEvent } from './renew.ts';
import { taskIdOf } from './requests.ts';

/** Carried out by the agent, which has the credentials, and since it is its view of the network that counts. */
export const dnsDoctor = defineOperation({
  name: 'dns.doctor',
  kind: 'write',
  method: 'POST',
  path: '/dns/{name}/doctor',
  scope: 'operate',
  summary:
    'Examines the DNS of a name, and writes a record there, times it and takes it away: what a challenge would meet.',
  input: z.strictObject({ name: hostName.describe('Host name, held or to be added') }),
  run: async ({ name }, needs, caller): Promise<TaskStarted> => {
    const id = taskIdOf('dns.doctor', caller);
    if ((await needs.tasks.get(id)) !== undefined) return { taskId: id };
    const base = name.replace(/^\*\./, '');
    const domain = await domainFor([base], needs);
    const { signal } = new AbortController();
    const [examination, caa] = await Promise.all([
      needs.dnsCare.examine({ name: base, account: domain?.dnsAccount }, signal),
      caaOf(name, domain?.issuers ?? needs.settings().issuers, needs),
    ]);
    const trial = trialItems(examination);
    const items = [...examination.findings.map(toItem), ...caa, ...trial];
    const now = needs.clock.now();
    const isOpen = items.some(({ state }) => state === 'waiting');
    const state = items.some((item) => item.state === 'failed') ? 'failed' : 'done';
    const about = { id, operation: 'dns.doctor', createdAt: now, requestedBy: caller.requestedBy, items };
    const task: Task = isOpen ? { ...about, state: 'running' } : { ...about, state, finishedAt: now };
    const argument = trialArgument({ key: id, name: base, account: examination.place?.account ?? '' });
    const errand = `${doctorErrand}/${argument}`;
    await needs.changes.commit({
      putTasks: [task],
      due: isOpen ? [{ job: 'upkeep', id: errand, at: now }] : [],
      events: [commandEvent('dns.doctor', { name, task: id }, caller)],
    });
    if (isOpen) await needs.jobs.wake('upkeep', [errand]);
    return { taskId: id };
  },
});

const states = { fine: 'done', amiss: 'failed', unknown: 'skipped' } as const;

function toItem({ about, level, message }: DnsFinding): TaskItem {
  return { id: about, state: states[level], note: message };
}

/** Whether each CA may issue for the name, as far as its CAA records say. */
async function caaOf(
  name: string,
  issuers: readonly string[],
  { preflight, settings }: OperationNeeds,
): Promise<readonly TaskItem[]> {
  const { signal } = new AbortController();
  const known = issuers.filter((issuer) => settings().issuers.includes(issuer));
  const found = await Promise.all(
    known.map(async (issuer) => {
      const findings = await preflight.look({ issuer, names: [name], challenge: 'dns-01' }, signal);
      return findings.filter(({ code }) => code === 'challenge.caa').map((one) => caaItem(issuer, one));
    }),
  );
  return found.flat();
}

const caaStates = { fine: 'done', warning: 'skipped', stop: 'failed' } as const;

function caaItem(issuer: string, { level, message }: Finding): TaskItem {
  return { id: `CAA for ${issuer}`, state: caaStates[level], note: message };
}
