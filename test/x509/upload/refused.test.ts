import { describe, expect, it } from 'vitest';
import { readUpload, requireWhole } from '../../../src/x509/upload/read.ts';
import { forgedAt } from '../../support/forge.ts';
import { malformed } from './malformed/all.ts';

const corpus = malformed();

describe('an upload is refused with what is wrong with it', () => {
  it.each(corpus)('$name', ({ files, sentence }) => {
    const read = () => requireWhole(readUpload(files, { now: forgedAt }));
    expect(read).toThrow(expect.objectContaining({ code: 'command.invalid', message: sentence }));
  });

  it('in more than sixty ways, nearly all with a sentence of their own', () => {
    expect(corpus.length).toBeGreaterThanOrEqual(60);
    expect(new Set(corpus.map(({ sentence }) => sentence)).size).toBeGreaterThanOrEqual(80);
  });
});
