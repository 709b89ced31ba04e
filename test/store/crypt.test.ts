import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { secret } from '../../src/core/secret.ts';
import { createCrypt } from '../../src/store/crypt.ts';
import { canary } from '../support/canaries.ts';
import { masterKey } from './samples.ts';

const text = canary();
const plain = secret<Uint8Array>(Buffer.from(text));

test('what was sealed opens again, and the same key elsewhere does not look the same', () => {
  const crypt = createCrypt([masterKey()]);
  const sealed = crypt.seal(plain, 'account:le');
  expect(Buffer.from(crypt.open(sealed, 'account:le').reveal()).toString()).toBe(text);
  expect(crypt.seal(plain, 'account:le')).toEqual(sealed);
  expect(crypt.seal(plain, 'account:other')).not.toEqual(sealed);
  expect(crypt.seal(secret<Uint8Array>(Buffer.from(text)), 'account:le')).not.toEqual(sealed);
  expect(sealed.length).toBe(plain.reveal().length + 33);
});

test('what was sealed for one record does not open as another, nor when a byte was changed', () => {
  const crypt = createCrypt([masterKey()]);
  const sealed = crypt.seal(plain, 'account:le');
  const refused = expect.objectContaining({ code: 'store.masterKey' });
  expect(() => crypt.open(sealed, 'account:other')).toThrow(refused);
  for (const at of [0, 3, 8, 20, sealed.length - 1]) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(() => crypt.open(changed, 'account:le')).toThrow(refused);
  }
  expect(() => crypt.open(sealed.subarray(0, 10), 'account:le')).toThrow(refused);
});

test('older keys of the ring open, the current one seals', () => {
  const [older, newer, stranger] = [masterKey(), masterKey(), masterKey()];
  const sealed = createCrypt([older]).seal(plain, 'x');
  const ring = createCrypt([newer, older]);
  expect(Buffer.from(ring.open(sealed, 'x').reveal()).toString()).toBe(text);
  expect(() => createCrypt([older]).open(ring.seal(plain, 'x'), 'x')).toThrow(/lacks/);
  expect(ring.knows(createCrypt([older]).keyCheck)).toBe(true);
  expect(ring.knows(createCrypt([stranger]).keyCheck)).toBe(false);
});

test('a master key of another length is refused', () => {
  expect(() => createCrypt([secret<Uint8Array>(randomBytes(16))])).toThrow(/16 bytes instead of 32/);
  expect(() => createCrypt([])).toThrow(/no master key/);
});
