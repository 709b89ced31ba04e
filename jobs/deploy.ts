import { type DeployNeeds, deploy } from '../src/core/deploy/deploy.ts';
import { parseDeploymentId } from '../src/core/records.ts';
import type { Handler } from './define.ts';

/** id: `<target>|<lineage>`. */
export function deployHandler(needs: DeployNeeds): Handler {
  return (id, signal) => deploy(parseDeploymentId(id), needs, signal);
}
