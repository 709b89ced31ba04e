import { z } from 'zod';

const account = z.union([z.string().min(1), z.number().int().nonnegative().transform(String)]);

/** Options of every target that writes files: who may read them. */
export const accessFields = {
  mode: z
    .enum(['0600', '0640'], { error: 'must be "0600" or "0640", in quotes' })
    .default('0600')
    .describe('Rights of the files; directories get 0700 or 0750 to match'),
  owner: account
    .optional()
    .describe('User (name or number) that owns the files; needs an agent that runs as root'),
  group: account
    .optional()
    .describe('Group (name or number) of the files; with mode "0640" it may read them'),
};
