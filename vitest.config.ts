import { defineConfig } from 'vitest/config';
import { conformanceMatrix } from './test/setup/conformance.ts';
import { LongestFirst } from './test/setup/order.ts';
import { namedSkips } from './test/setup/skips.ts';

const resultsFile = process.env.ACME_AGENT_TEST_RESULTS;

/** Suites that start no agents: their files share a process and what it has loaded, which is a third of their time. */
const parts = [
  'acme',
  'challenge',
  'config',
  'core',
  'dns',
  'import',
  'jobs',
  'notify',
  'operations',
  'pains',
];
const sharing = [...parts, 'plugin', 'providers', 'x509'].map((folder) => `test/${folder}/**/*.test.ts`);

/** What both kinds have; the rest is of the whole run. */
const each = {
  setupFiles: ['test/setup/each-file.ts'],
  pool: 'forks' as const,
  maxConcurrency: 3,
  // Many times what any test takes alone: the machine may be busy.
  testTimeout: 240_000,
  hookTimeout: 120_000,
  teardownTimeout: 120_000,
  expect: { poll: { timeout: 30_000 } },
};

// biome-ignore lint/style/noDefaultExport: the file name and the default export are what Vitest looks for
export default defineConfig({
  test: {
    projects: [
      { test: { ...each, name: 'parts', include: sharing, isolate: false } },
      { test: { ...each, name: 'whole', include: ['test/**/*.test.ts'], exclude: sharing } },
    ],
    globalSetup: ['test/setup/global.ts'],
    reporters: [
      'default',
      namedSkips,
      ...(process.env.ACME_AGENT_CONFORMANCE === undefined ? [] : [conformanceMatrix]),
      ...(resultsFile === undefined ? [] : [['json', { outputFile: resultsFile }] as const]),
    ],
    // Tests wait for programs most of their time.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
  },
});
