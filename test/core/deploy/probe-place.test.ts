import { beforeEach, describe, expect, it } from 'vitest';
import { recordSights } from '../../../src/core/deploy/amiss.ts';
import { probeTargets } from '../../../src/core/deploy/probe.ts';
import { eachWorld } from '../each-world.ts';
import { minute } from '../given.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

const probe = () => world.run(probeTargets(world.needs, new AbortController().signal));
const edge = { host: '192.0.2.1', port: 443 };
const at = '192.0.2.1:443';

beforeEach(async () => {
  world.settings.probes = { web: [edge] };
  await world.want();
  await world.live(minute);
});

async function found<T>(reading: Promise<T | undefined>): Promise<T> {
  const one = await reading;
  if (one === undefined) throw new Error('it is not there');
  return one;
}

const deployment = (id = www) => found(world.store.deployments.get('web', id));
const held = (id = www) => found(world.store.certificates.certificate(id));

describe('a look at what clients are shown', () => {
  it('counts nothing that was seen of a certificate that is not there any more', async () => {
    const place = {
      domain: await found(world.store.wishes.domain('example.com')),
      lineage: await found(world.store.certificates.lineage(www)),
      deployment: await deployment(),
      shown: { ...(await held()), fingerprint: 'cd'.repeat(32) },
      addresses: [edge],
    };
    const message = 'shows another certificate than was deployed';
    const finding = { name: 'www.example.com', address: at, level: 'amiss' as const, message };
    await recordSights(place, [finding], world.needs);
    expect((await deployment()).amiss).toBeUndefined();
    await recordSights({ ...place, shown: await held() }, [finding], world.needs);
    expect((await deployment()).amiss).toMatchObject({ addresses: [at] });
  });

  it('asks for each kind of key where a domain has both', async () => {
    await world.want({ keyTypes: ['p256', 'rsa2048'] });
    await world.live(10 * minute);
    world.prober.asked.length = 0;
    await probe();
    expect(world.prober.asked.map(({ keyClass }) => keyClass).toSorted()).toEqual(['ec', 'rsa']);
  });

  it('asks for neither kind of key where both show the fallback, which has one', async () => {
    await world.want({ keyTypes: ['p256', 'rsa2048'] });
    await world.live(10 * minute);
    const { fingerprint, lineage, source } = await held('example.com/www.example.com/fallback');
    for (const id of [www, 'example.com/www.example.com/rsa']) {
      const before = await deployment(id);
      const observed = { ...(await found(Promise.resolve(before.observed))), fingerprint, lineage, source };
      await world.store.changes.commit({ putDeployments: [{ ...before, observed }] });
    }
    await probe();
    expect(world.prober.asked).toEqual([]);
  });
});
