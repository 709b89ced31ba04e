import { describe, expect, it } from 'vitest';
import { tellLapsed } from '../../../src/core/bindings/lapsed.ts';
import { editRenewal } from '../../../src/core/records.ts';
import { bind } from '../../../src/operations/bind.ts';
import { eachWorld } from '../each-world.ts';
import { day, hour, minute, t0 } from '../given.ts';
import { runIn } from '../run-command.ts';
import { handInto } from '../uploads/hand-in.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

const look = () => world.run(tellLapsed(world.needs));
const lapses = async () => (await world.events('binding.lapsed')).map(({ facts }) => facts.names);
const lapsedAt = async (name: string) => (await world.store.bindings.get(name))?.lapsedAt;

describe('what is bound and not valid any more', () => {
  it('is told once, and again when it lapses anew', async () => {
    await world.want({ mode: 'custom' }, []);
    const { id } = await handInto(world, ['www.example.com'], { notAfter: t0 + 5 * day });
    await runIn(world, bind, { name: 'web:443', certificates: [id] });
    await look();
    expect(await lapses()).toEqual([]);
    await world.pass(6 * day);
    await look();
    await world.pass(hour);
    await look();
    expect(await lapses()).toEqual([['web:443']]);
    expect(await lapsedAt('web:443')).toBe(t0 + 6 * day);
    await handInto(world, ['www.example.com'], { input: { replace: id }, notAfter: t0 + 9 * day });
    await look();
    expect(await lapsedAt('web:443')).toBeUndefined();
    await world.pass(4 * day);
    await look();
    expect(await lapses()).toEqual([['web:443'], ['web:443']]);
  });

  it('reaches the people who answer for the domain of the certificate', async () => {
    await world.want({ mode: 'custom' }, []);
    const { id } = await handInto(world, ['www.example.com'], { notAfter: t0 + 5 * day });
    await runIn(world, bind, { name: 'www.example.com', certificates: [id] });
    await world.pass(6 * day);
    await look();
    await world.live(minute);
    const notices = world.mail.messages.flatMap((message) => message.notices);
    expect(notices.find(({ kind }) => kind === 'binding-lapsed')).toMatchObject({
      names: ['www.example.com'],
      message: `${id} is bound to www.example.com, and is expired: something else is shown there`,
      advice: expect.stringContaining('acme-agent bind www.example.com ID --replace'),
    });
  });

  it('counts as well while one of a pair is valid, and as lapsed when it is revoked', async () => {
    await world.want();
    await world.live(minute);
    await runIn(world, bind, { name: 'web:443', certificates: [www] });
    await look();
    expect(await lapses()).toEqual([]);
    await editRenewal(www, world.store, (state) => ({ putRenewals: [{ ...state, revokedAt: t0 }] }));
    await look();
    expect(await lapses()).toEqual([['web:443']]);
  });
});
