import type { DeployTargetDefinition } from '../plugin/define.ts';
import { awsAcm } from './aws-acm.ts';
import { exec } from './exec.ts';
import { files } from './files.ts';
import { haproxy } from './haproxy.ts';
import { kong } from './kong.ts';
import { kubernetes } from './kubernetes.ts';
import { webhook } from './webhook.ts';

/** The deploy targets that come with the agent. */
export const deployTargets: readonly DeployTargetDefinition<unknown>[] = [
  files,
  haproxy,
  kong,
  kubernetes,
  awsAcm,
  exec,
  webhook,
];
