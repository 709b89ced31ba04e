import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DnsProvider, ProviderTraits, TxtChange, ZoneRef } from '../../src/core/provider.ts';
import { applyChunked, createTurns } from './dns-calls.ts';

/** A provider with a server of its own, and the ways to look at that server behind the provider's back. */
export interface ProviderUnderTest {
  readonly provider: DnsProvider;
  /** The same account as another process has it. */
  again(): DnsProvider;
  readonly zone: ZoneRef;
  /** TXT values that the server has now. */
  txt(name: string): Promise<readonly string[]>;
  /** As another writer does it. */
  addForeign(name: string, value: string): Promise<void>;
  removeForeign(name: string, value: string): Promise<void>;
  /** All of the zone, comparable. */
  snapshot(): Promise<string>;
  stop(): Promise<void>;
  /** Where the account can have a zone below another one: a name in it. */
  readonly delegated?: { readonly name: string; readonly zone: string } | undefined;
  /** Where the server knows zones: one it does not have, and the code expected. */
  readonly missing?: { readonly zone: ZoneRef; readonly code: string } | undefined;
  /** Where there are credentials: a provider with wrong ones. */
  readonly withWrongCredentials?: (() => DnsProvider) | undefined;
  /** Calls the server has seen, where it counts them. */
  readonly calls?: (() => number) | undefined;
  /** A change that the server refuses for its name. */
  readonly refused?: TxtChange | undefined;
  /** The next call is refused as coming too soon. */
  readonly throttleOnce?: ((retryAfterSeconds?: number) => void) | undefined;
  /** The account loses all its rights, and gets them back with `restore`; the code expected meanwhile. */
  readonly denyRights?: (() => { readonly code: string; restore(): void }) | undefined;
  /** The next call meets a fault of the server, before anything is done. */
  readonly failOnce?: (() => void) | undefined;
  /** The next change is made, but its answer does not arrive. */
  readonly loseAnswerOnce?: (() => void) | undefined;
  /** The next change gets no answer before `release`; `reached` resolves when the server has it. */
  readonly hangOnce?: (() => { readonly reached: Promise<void>; release(): void }) | undefined;
  /** TTL that the server has for the name, where it keeps TTLs. */
  readonly ttl?: ((name: string) => Promise<number | undefined>) | undefined;
  /** The value is published by the server now, where that can be later than the change. */
  readonly isPublished?: ((name: string, value: string) => Promise<boolean>) | undefined;
}

/** Of the suite: what a server or a provider may not have. */
export type Part = keyof ProviderUnderTest | 'listTxt' | 'findZone';

export interface Subject {
  readonly traits: ProviderTraits;
  setup(): Promise<ProviderUnderTest>;
  /** Optional parts of `ProviderUnderTest` that the server cannot have, each with the reason. */
  readonly notApplicable: Readonly<Partial<Record<Part, string>>>;
}

const signal = new AbortController().signal;
const digest = 'LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo';

/** What every DNS provider must hold to. Each test leaves the zone as it found it. */
export function describeProvider(name: string, { traits, setup, notApplicable }: Subject): void {
  describe(`DNS provider ${name}`, () => {
    let subject: ProviderUnderTest;
    let before: string;

    beforeAll(async () => {
      subject = await setup();
    });
    afterAll(() => subject.stop());
    beforeEach(async () => {
      before = await subject.snapshot();
    });
    afterEach(async () => {
      expect(await subject.snapshot()).toBe(before);
    });

    const ttl = Math.max(traits.ttl.preferred, traits.ttl.min);
    const at = (label: string) => `_acme-challenge.${label}.${subject.zone.name}`;
    const add = (owner: string, value: string): TxtChange => ({ op: 'add', name: owner, value, ttl });
    const remove = (owner: string, value: string): TxtChange => ({ ...add(owner, value), op: 'remove' });
    const apply = (changes: readonly TxtChange[], provider = subject.provider) =>
      applyChunked(provider, subject.zone, changes);

    /** A test of a part that some servers lack; those must say why. */
    function itWith(part: Part, title: string, run: () => Promise<void>) {
      const reason = notApplicable[part];
      if (reason === undefined) return it(title, run);
      it(`does not apply: ${title} (${reason})`, () => {
        const holder: object = part === 'listTxt' || part === 'findZone' ? subject.provider : subject;
        expect(
          Object.entries(holder).find(([key, value]) => key === part && value !== undefined),
        ).toBeUndefined();
      });
    }

    it('adds a value and removes it', async () => {
      await apply([add(at('one'), digest)]);
      expect(await subject.txt(at('one'))).toEqual([digest]);
      await apply([remove(at('one'), digest)]);
      expect(await subject.txt(at('one'))).toEqual([]);
    });

    itWith('listTxt', 'lists what it added, and nothing for other names', async () => {
      await apply([add(at('listed'), digest)]);
      const records = await subject.provider.listTxt?.(subject.zone, [at('listed'), at('none')], signal);
      expect(records?.map(({ name: owner, value }) => ({ owner, value }))).toEqual([
        { owner: at('listed'), value: digest },
      ]);
      await apply([remove(at('listed'), digest)]);
    });

    it('puts two values at one name in one go', async () => {
      await apply([add(at('two'), 'first'), add(at('two'), 'second')]);
      expect([...(await subject.txt(at('two')))].sort()).toEqual(['first', 'second']);
      await apply([remove(at('two'), 'first'), remove(at('two'), 'second')]);
    });

    it('keeps all of 20 values that come at the same time to one name', async () => {
      const values = Array.from({ length: 20 }, (_, index) => `value-${index}`);
      const inTurn = createTurns(traits);
      await Promise.all(values.map((value) => inTurn(() => apply([add(at('many'), value)]))));
      expect([...(await subject.txt(at('many')))].sort()).toEqual([...values].sort());
      await Promise.all(values.map((value) => inTurn(() => apply([remove(at('many'), value)]))));
    });

    if (traits.removeIsExact) {
      it('leaves the other value of a name when one is removed', async () => {
        await apply([add(at('pair'), 'stays'), add(at('pair'), 'goes')]);
        await apply([remove(at('pair'), 'goes')]);
        expect(await subject.txt(at('pair'))).toEqual(['stays']);
        await apply([remove(at('pair'), 'stays')]);
      });

      it('leaves values of other writers alone', async () => {
        await subject.addForeign(at('foreign'), 'v=spf1 -all');
        await apply([add(at('foreign'), digest)]);
        expect([...(await subject.txt(at('foreign')))].sort()).toEqual([digest, 'v=spf1 -all'].sort());
        await apply([remove(at('foreign'), digest)]);
        expect(await subject.txt(at('foreign'))).toEqual(['v=spf1 -all']);
        await subject.removeForeign(at('foreign'), 'v=spf1 -all');
      });
    }

    it('takes a value that is there as added, and keeps a single copy', async () => {
      await apply([add(at('again'), digest)]);
      await apply([add(at('again'), digest)]);
      expect(await subject.txt(at('again'))).toEqual([digest]);
      await apply([remove(at('again'), digest)]);
    });

    it('takes a value that is not there as removed', async () => {
      await apply([remove(at('never'), digest)]);
      expect(await subject.txt(at('never'))).toEqual([]);
    });

    it('removes in another process what it added, without a handle', async () => {
      await apply([add(at('restart'), digest)]);
      await apply([remove(at('restart'), digest)], subject.again());
      expect(await subject.txt(at('restart'))).toEqual([]);
    });

    it.each([
      ['begins with a hyphen', '-begins-with-a-hyphen'],
      ['begins with an underscore', '_begins'],
      ['is longer than one character string', 'x'.repeat(300)],
      ['has quotes, backslashes and blanks', 'a "quoted" back\\slash; and 007'],
    ])('carries a value that %s', async (_, value) => {
      await apply([add(at('odd'), value)]);
      expect(await subject.txt(at('odd'))).toEqual([value]);
      await apply([remove(at('odd'), value)]);
    });

    it.each([
      ['at the apex', (zone: string) => `_acme-challenge.${zone}`],
      ['five labels deep', (zone: string) => `_acme-challenge.a.b.c.d.${zone}`],
      ['with an internationalised label', (zone: string) => `_acme-challenge.xn--bcher-kva.${zone}`],
    ])('serves a challenge name %s', async (_, nameIn) => {
      const owner = nameIn(subject.zone.name);
      await apply([add(owner, digest)]);
      expect(await subject.txt(owner)).toEqual([digest]);
      await apply([remove(owner, digest)]);
    });

    itWith('findZone', 'finds the zone that holds a name', async () => {
      const found = await subject.provider.findZone?.(at('deep.below'), signal);
      expect(found).toBeDefined();
      expect(at('deep.below').endsWith(found?.name ?? '-')).toBe(true);
    });

    itWith('delegated', 'prefers the zone below to the one above', async () => {
      const { name: owner = '', zone } = subject.delegated ?? {};
      expect((await subject.provider.findZone?.(owner, signal))?.name).toBe(zone);
    });

    itWith('missing', 'says that a zone is not at this account', async () => {
      const { zone = subject.zone, code } = subject.missing ?? {};
      const owner = `_acme-challenge.${zone.name}`;
      expect(await subject.provider.findZone?.(owner, signal)).toBeUndefined();
      await expect(subject.provider.apply(zone, [add(owner, digest)], signal)).rejects.toMatchObject({
        code,
      });
    });

    itWith('withWrongCredentials', 'says with one call that credentials are wrong', async () => {
      const provider = subject.withWrongCredentials?.() ?? subject.provider;
      const calls = subject.calls?.();
      const applied = provider.apply(subject.zone, [add(at('auth'), digest)], signal);
      await expect(applied).rejects.toMatchObject({ code: 'provider.auth', retry: 'blocked' });
      if (calls !== undefined) expect((subject.calls?.() ?? 0) - calls).toBeLessThanOrEqual(1);
      await expect(provider.check?.(signal)).rejects.toMatchObject({ code: 'provider.auth' });
    });

    it('finds nothing wrong with good credentials', async () => {
      expect(subject.provider.check).toBeDefined();
      await expect(subject.provider.check?.(signal)).resolves.toBeUndefined();
    });

    itWith('throttleOnce', 'gets through after a refusal for haste', async () => {
      subject.throttleOnce?.();
      await apply([add(at('haste'), digest)]);
      expect(await subject.txt(at('haste'))).toEqual([digest]);
      await apply([remove(at('haste'), digest)]);
    });

    itWith('loseAnswerOnce', 'leaves no second copy and no orphan when an answer is lost', async () => {
      subject.loseAnswerOnce?.();
      await apply([add(at('lost'), digest)]).catch(() => apply([add(at('lost'), digest)]));
      expect(await subject.txt(at('lost'))).toEqual([digest]);
      subject.loseAnswerOnce?.();
      await apply([remove(at('lost'), digest)]).catch(() => apply([remove(at('lost'), digest)]));
      expect(await subject.txt(at('lost'))).toEqual([]);
    });

    itWith('refused', 'lets a refused name fail without harm to 19 others', async () => {
      const good = Array.from({ length: 19 }, (_, index) => add(at(`good-${index}`), digest));
      const all = subject.refused === undefined ? good : [...good, subject.refused];
      const outcomes = await subject.provider.apply(subject.zone, all, signal).then(
        (result) => result.outcomes.map(({ ok }) => ok),
        () => 'rejected' as const,
      );
      if (outcomes === 'rejected') {
        // All or nothing: the engine halves the batch until the bad one is alone.
        for (const change of all) expect(await subject.txt(change.name)).toEqual([]);
        await apply(good);
      } else {
        expect(outcomes).toEqual(all.map((change) => change !== subject.refused));
      }
      for (const change of good) expect(await subject.txt(change.name)).toEqual([digest]);
      await apply(good.map((change) => remove(change.name, change.value)));
    });

    it('takes many changes in chunks as large as its traits allow', async () => {
      const count = traits.batch.maxChanges === 1 ? 10 : 500;
      const changes = Array.from({ length: count }, (_, index) => add(at(`bulk-${index}`), digest));
      await apply(changes);
      for (const index of [0, count - 1]) expect(await subject.txt(at(`bulk-${index}`))).toEqual([digest]);
      await apply(changes.map((change) => ({ ...change, op: 'remove' })));
    });

    itWith('hangOnce', 'rejects at once when aborted in flight, and cleans up later', async () => {
      const hang = subject.hangOnce?.();
      const abort = new AbortController();
      const reason = new Error('the agent stops');
      const running = subject.provider.apply(subject.zone, [add(at('abort'), digest)], abort.signal);
      await Promise.race([hang?.reached, running]);
      abort.abort(reason);
      await expect(running).rejects.toBe(reason);
      hang?.release();
      await apply([remove(at('abort'), digest)]);
      expect(await subject.txt(at('abort'))).toEqual([]);
    });

    itWith('ttl', 'sets the TTL it is given', async () => {
      await apply([{ ...add(at('ttl'), digest), ttl: traits.ttl.min }]);
      expect(await subject.ttl?.(at('ttl'))).toBe(traits.ttl.min);
      await apply([remove(at('ttl'), digest)]);
    });

    itWith('isPublished', 'calls a change live only when the servers show it', async () => {
      const { ticket = '' } = await subject.provider.apply(subject.zone, [add(at('live'), digest)], signal);
      const isLive = async () => (await subject.provider.live?.(ticket, signal)) === true;
      expect(await isLive()).toBe(false);
      while (!(await isLive()));
      expect(await subject.isPublished?.(at('live'), digest)).toBe(true);
      await apply([remove(at('live'), digest)]);
    });
  });
}
