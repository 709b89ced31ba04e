import type { CommandAnswers } from '../core/ports.ts';
import type { Base } from './base.ts';

const lifeMs = 86_400_000;

export function createAnswers({ link, keys }: Base): CommandAnswers {
  return {
    get: async (key) => (await link.run((client) => client.get(keys.answer(key)))) ?? undefined,
    put: async (key, answer) => {
      await link.run((client) => client.set(keys.answer(key), answer, 'PX', lifeMs));
    },
  };
}
