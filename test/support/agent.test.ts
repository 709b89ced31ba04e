import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { agentSite } from './agent.ts';
import { runPart } from './run-folder.ts';

test('the arguments of what an agent starts are recorded for the search for secrets', async () => {
  const site = await agentSite({
    issuers: { none: { directory: 'https://127.0.0.1:9/', agreeToTerms: true } },
  });
  const agent = await site.start();
  onTestFinished(async () => void (await agent.stop()));
  const file = join(runPart('children'), `${agent.pid}`);
  expect(existsSync(file)).toBe(true);
  expect(readFileSync(file, 'utf8')).toContain('redis-server');
});
