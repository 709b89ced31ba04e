import { describe, expect, it } from 'vitest';
import { planLineages } from '../../../src/core/wishes/lineage-plan.ts';
import { aCertificate, aDomain, aHost, aLineage, aState, day, settings, t0, wanted } from '../given.ts';

const domain = aDomain({ mode: 'individual', deploy: ['web'] });
const empty = { domain: undefined, hosts: [], groups: [] };
const id = 'example.com/www.example.com/ec';
const held = {
  lineage: aLineage(),
  certificate: aCertificate(),
  state: aState({ renewAt: t0 + day, version: 3 }),
};
const stored = { domain, hosts: [aHost('www.example.com')], groups: [] };
const base = { name: 'example.com', settings, now: t0 };

describe('a change of wishes', () => {
  it('makes a lineage for a new host, due for an order and a deployment at once', () => {
    const plan = planLineages({
      ...base,
      stored: empty,
      edit: { domain, putHosts: [aHost('www.example.com')] },
      held: [],
    });
    expect(plan.change.putLineages?.map((lineage) => lineage.id)).toEqual([id]);
    expect(plan.change.due).toEqual([
      { job: 'issue', id, at: t0 },
      { job: 'remind', id, at: undefined },
      { job: 'deploy', id: `web|${id}`, at: t0 },
    ]);
    expect(plan.wakeIssue).toEqual([id]);
  });

  it('that changes nothing writes nothing', () => {
    const { change } = planLineages({ ...base, stored, edit: {}, held: [held] });
    expect(
      Object.values(change)
        .flat()
        .filter((part) => part !== undefined),
    ).toEqual([]);
  });

  it('asks on for what was forced', () => {
    const requested = { at: t0 + day, force: true };
    const request = { policies: ['example.com/www.example.com'], force: false, task: 'later' };
    const given = [{ ...held, state: { ...held.state, requested } }];
    const { change } = planLineages({ ...base, stored, edit: { request }, held: given });
    expect(change.putRenewals?.[0]?.requested).toEqual({ at: t0, force: true, task: 'later' });
  });

  it('keeps what a removed host holds, and marks since when nobody wants it', () => {
    const plan = planLineages({
      ...base,
      stored,
      edit: { removeHosts: [aHost('www.example.com')] },
      held: [held],
    });
    expect(plan.change.putLineages).toEqual([{ ...held.lineage, unwantedSince: t0 }]);
    expect(plan.change.removeLineages).toBeUndefined();
    expect(plan.change.due?.[0]).toEqual({ job: 'issue', id, at: t0 + day });
  });

  it('takes a lineage up again when its host comes back', () => {
    const gone = { ...held, lineage: aLineage({ unwantedSince: t0 - day }) };
    const plan = planLineages({
      ...base,
      stored: { ...stored, hosts: [] },
      edit: { putHosts: [aHost('www.example.com')] },
      held: [gone],
    });
    expect(plan.change.putLineages?.[0]?.unwantedSince).toBeUndefined();
  });

  it('that edits the domain clears the ladder', () => {
    const failing = { ...held, state: aState({ failures: 3, retryAt: t0 + day }), certificate: undefined };
    const plan = planLineages({
      ...base,
      stored,
      edit: { domain: { ...domain, issuers: ['second'] } },
      held: [failing],
    });
    expect(plan.change.putRenewals?.[0]?.retryAt).toBeUndefined();
    expect(plan.change.due?.[0]).toEqual({ job: 'issue', id, at: t0 });
  });

  it('that adds a deploy target deploys every lineage of the domain there', () => {
    const plan = planLineages({
      ...base,
      stored: { ...stored, domain: { ...domain, deploy: [] } },
      edit: { domain },
      held: [held],
    });
    expect(plan.wakeDeploy).toEqual([`web|${id}`]);
  });

  it('orders one lineage a key class', () => {
    const dual = { ...domain, keyTypes: ['p256', 'rsa2048'] } as const;
    const plan = planLineages({ ...base, stored, edit: { domain: dual }, held: [held] });
    expect(plan.change.putLineages?.map((lineage) => lineage.id)).toEqual([
      'example.com/www.example.com/rsa',
    ]);
  });

  it('refuses a host of another domain', () => {
    expect(() =>
      planLineages({ ...base, stored, edit: { putHosts: [aHost('www.example.org')] }, held: [] }),
    ).toThrow('www.example.org does not lie under example.com');
  });

  it('carries a request for a certificate, which skips the ladder and stays until it is answered', () => {
    const edit = { request: { policies: ['example.com/www.example.com'], force: true, task: 'task-1' } };
    const plan = planLineages({ ...base, stored, edit, held: [held] });
    expect(plan.change.putRenewals?.[0]).toMatchObject({
      version: 3,
      requested: { at: t0, force: true, task: 'task-1' },
    });
    expect(plan.wakeIssue).toEqual([id]);
    expect(wanted.names).toEqual(['www.example.com']);
  });
});
