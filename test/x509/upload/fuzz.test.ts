import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { hunt } from '../../fuzz/x509/hunt.ts';
import { withoutRecording } from '../../setup/errors.ts';
import { unregistered } from '../../support/canaries.ts';

it('whatever is handed in for ten seconds, it is taken or refused with a sentence, and soon', () => {
  const seed = randomInt(2 ** 32);
  const until = performance.now() + 10_000;
  const { inputs, taken, finding } = unregistered(() =>
    withoutRecording(() => hunt(seed, () => performance.now() > until)),
  );
  expect(finding && `seed ${seed}, input ${finding.number}: ${finding.what}`).toBeUndefined();
  expect(taken).toBeGreaterThan(0);
  expect(inputs).toBeGreaterThan(taken);
});
