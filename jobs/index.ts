import type { DeployNeeds } from '../src/core/deploy/deploy.ts';
import type { NotifyNeeds } from '../src/core/notice/notify.ts';
import type { RemindNeeds } from '../src/core/notice/remind.ts';
import type { RenewNeeds } from '../src/core/renewal/renew.ts';
import type { DueJob } from '../src/core/types.ts';
import type { Handler } from './define.ts';
import { deployHandler } from './deploy.ts';
import { issueHandler } from './issue.ts';
import { notifyHandler, remindHandler } from './notify.ts';
import { type Chore, type Errand, type UpkeepNeeds, upkeepHandler } from './upkeep.ts';

export type HandlerNeeds = RenewNeeds & DeployNeeds & NotifyNeeds & RemindNeeds & UpkeepNeeds;

/** The registry of jobs: one handler a kind of due work. */
export function createHandlers(
  needs: HandlerNeeds,
  chores: Readonly<Record<string, Chore>>,
  errands: Readonly<Record<string, Errand>> = {},
): Readonly<Record<DueJob, Handler>> {
  return {
    issue: issueHandler(needs),
    deploy: deployHandler(needs),
    remind: remindHandler(needs),
    notify: notifyHandler(needs),
    upkeep: upkeepHandler(chores, needs, errands),
  };
}
