import { deliver, fanOut, fanOutId, type NotifyNeeds } from '../src/core/notice/notify.ts';
import { type RemindNeeds, remind } from '../src/core/notice/remind.ts';
import type { Jobs } from '../src/core/ports.ts';
import type { Handler } from './define.ts';

/** id: `events` to turn events into notices, else the name of the notifier whose notices are sent. */
export function notifyHandler(needs: NotifyNeeds & { readonly jobs: Jobs }): Handler {
  return async (id, signal) => {
    if (id === fanOutId) await needs.jobs.wake('notify', await fanOut(needs));
    else await deliver(id, needs, signal);
    return undefined;
  };
}

/** id: lineage. */
export function remindHandler(needs: RemindNeeds): Handler {
  return async (id) => {
    await remind(id, needs);
    return undefined;
  };
}
