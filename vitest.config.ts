import { defineConfig } from 'vitest/config';
import { conformanceMatrix } from './test/setup/conformance.ts';
import { LongestFirst } from './test/setup/order.ts';
import { namedSkips } from './test/setup/skips.ts';

const resultsFile = process.env.ACME_AGENT_TEST_RESULTS;

// biome-ignore lint/style/noDefaultExport: the file name and the default export are what Vitest looks for
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/setup/each-file.ts'],
    pool: 'forks',
    // Files share a process and what it has loaded, one after the other: a fifth of the whole time.
    isolate: false,
    maxConcurrency: 3,
    // Many times what any test takes alone: the machine may be busy.
    testTimeout: 240_000,
    hookTimeout: 120_000,
    teardownTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    globalSetup: ['test/setup/global.ts'],
    reporters: [
      'default',
      namedSkips,
      ...(process.env.ACME_AGENT_CONFORMANCE === undefined ? [] : [conformanceMatrix]),
      ...(resultsFile === undefined ? [] : [['json', { outputFile: resultsFile }] as const]),
    ],
    // Tests wait for programs half of their time; more at once would only make each other slow.
    maxWorkers: 5,
    sequence: { sequencer: LongestFirst },
  },
});
