import type { DeployTargetDefinition } from '../plugin/define.ts';
import { files } from './files.ts';

/** The deploy targets that come with the agent. */
export const deployTargets: readonly DeployTargetDefinition<unknown>[] = [files];
