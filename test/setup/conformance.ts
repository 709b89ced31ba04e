import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';
import { dnsProviders } from '../../providers/index.ts';
import { matrixIn, renderMatrix, rowNames, rowsOf } from '../support/conformance-matrix.ts';
import { renderProviders } from '../support/provider-docs.ts';
import { projectRoot } from '../support/root.ts';

/** Writes what the run says of each provider into `providers/README.md`; those that did not run keep their row. */
export const conformanceMatrix: Reporter = {
  onTestRunEnd(modules: readonly TestModule[]) {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const verdicts = tests.flatMap((test) => {
      const { conformance } = test.meta();
      return conformance === undefined ? [] : [{ conformance, passed: test.result().state === 'passed' }];
    });
    const file = join(projectRoot, 'providers', 'README.md');
    const order = rowNames(dnsProviders.map(({ name }) => name));
    const matrix = renderMatrix(matrixIn(readFileSync(file, 'utf8')), rowsOf(verdicts), order);
    writeFileSync(file, renderProviders(dnsProviders, matrix));
  },
};
