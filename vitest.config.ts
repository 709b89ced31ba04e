import { defineConfig } from 'vitest/config';
import { namedSkips } from './test/setup/skips.ts';

const resultsFile = process.env.ACME_AGENT_TEST_RESULTS;

// biome-ignore lint/style/noDefaultExport: the file name and the default export are what Vitest looks for
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup/global.ts'],
    setupFiles: ['test/setup/each-file.ts'],
    reporters: [
      'default',
      namedSkips,
      ...(resultsFile === undefined ? [] : [['json', { outputFile: resultsFile }] as const]),
    ],
    pool: 'forks',
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 60_000,
  },
});
