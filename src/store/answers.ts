import type { CommandAnswers } from '../core/ports.ts';
import type { Base } from './base.ts';
import type { DurableWriter } from './durable.ts';

const lifeMs = 86_400_000;

/** Stands where the answer will be, which is never empty. */
const begun = '';

/** An answer that got lost would let its command be carried out again, so it is as durable as what the command did. */
export function createAnswers({ link, keys }: Base, durable: DurableWriter): CommandAnswers {
  return {
    get: async (key) => {
      const stored = await link.run((client) => client.get(keys.answer(key)));
      return stored === null ? undefined : { answer: stored === begun ? undefined : stored };
    },
    // What is written after it is not safe before it is.
    begin: async (key) => {
      await link.run((client) => client.set(keys.answer(key), begun, 'PX', lifeMs));
    },
    put: async (key, answer) => {
      await durable.run((client) => client.set(keys.answer(key), answer, 'PX', lifeMs));
    },
    forget: async (key) => {
      await link.run((client) => client.del(keys.answer(key)));
    },
  };
}
