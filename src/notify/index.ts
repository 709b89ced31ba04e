import type { NotifierDefinition } from '../plugin/define.ts';
import { email } from './email.ts';
import { webhook } from './webhook.ts';

/** The notifiers that come with the agent. */
export const notifiers: readonly NotifierDefinition<unknown>[] = [email, webhook];
