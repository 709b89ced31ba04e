import type { CommandAnswers } from '../core/ports.ts';
import type { Base } from './base.ts';
import type { DurableWriter } from './durable.ts';

const lifeMs = 86_400_000;

/** An answer that got lost would let its command be carried out again, so it is as durable as what the command did. */
export function createAnswers({ link, keys }: Base, durable: DurableWriter): CommandAnswers {
  return {
    get: async (key) => (await link.run((client) => client.get(keys.answer(key)))) ?? undefined,
    put: async (key, answer) => {
      await durable.run((client) => client.set(keys.answer(key), answer, 'PX', lifeMs));
    },
  };
}
