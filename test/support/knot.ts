import { serverProgram } from './fetch/index.ts';
import { type KnotOptions, launchKnot, type TestKnot } from './knot-launch.ts';

/** A Knot of its own; see `launchKnot`. */
export function startKnot(options: KnotOptions): Promise<TestKnot> {
  return launchKnot(serverProgram('knotd'), options);
}
