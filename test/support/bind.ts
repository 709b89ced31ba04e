import { type BindOptions, launchBind, type TestBind } from './bind-launch.ts';
import { serverProgram } from './fetch/index.ts';

export type { BindOptions, TestBind } from './bind-launch.ts';

/** A BIND of its own; see `launchBind`. */
export function startBind(options: BindOptions): Promise<TestBind> {
  return launchBind(serverProgram('named'), options);
}
