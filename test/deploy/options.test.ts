import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { testFolder } from '../support/run-folder.ts';

const path = '/etc/acme-agent/certs';
const TOKEN = 'a-token-that-nobody-may-see';

/** What a person reads who starts the agent with this target. */
async function refusal(web: object): Promise<string> {
  const folder = testFolder('options');
  const file = join(folder, 'acme-agent.yaml');
  writeFileSync(join(folder, 'token'), TOKEN);
  const issuers = { ca: { preset: 'letsencrypt', agreeToTerms: true } };
  const config = { issuers, deployTargets: { web: { target: 'files', ...web } } };
  writeFileSync(file, stringify(config), { mode: 0o600 });
  const error: unknown = await loadConfig(file, { TOKEN }).catch((reason: unknown) => reason);
  return error instanceof Error ? error.message.replaceAll(`${file}:`, '') : 'taken';
}

it.each([{ env: 'TOKEN' }, { file: 'token' }])(
  'a reload command with %j is refused: other users could read it',
  async (reference) => {
    const message = await refusal({ path, reload: ['curl', '-u', reference, 'http://127.0.0.1/reload'] });
    expect(message).toMatch(
      /deployTargets\.web\.reload\.2: is no secret and may be shown, .* write the value itself/,
    );
    expect(message).not.toContain(TOKEN);
    expect(await refusal({ path, reload: ['curl'], reloadEnv: { TOKEN: reference } })).toBe('taken');
  },
);

it('a reload command of something else than texts is refused at the entry', async () => {
  expect(await refusal({ path, reload: ['kill', '-1', 4711] })).toMatch(/reload\.2: must be text: put it/);
  expect(await refusal({ path, reload: 'nginx -s reload' })).toMatch(/reload: must be a list, not text/);
  expect(await refusal({ path, reload: [] })).toMatch(/reload: must have at least one entry/);
});

it('a relative path is refused, and the sentence says what to write', async () => {
  expect(await refusal({ path: 'certificates' })).toMatch(
    /deployTargets\.web\.path: must be an absolute path, such as \/etc\/acme-agent\/certs/,
  );
});
