import { expect, it } from 'vitest';
import { untilRestart } from '../../src/agent/until-restart.ts';
import { loadConfig } from '../../src/config/load.ts';
import { configText, writeConfig } from './given.ts';

const before = `dataDir: /var/lib/one
masterKey: { file: /etc/master.key }
redis: { url: 'redis://127.0.0.1:6379', password: { env: PASSWORD } }
http01: { port: 8080 }
`;

async function changed(more: string, password = 'one') {
  const running = await loadConfig(writeConfig(configText('a.test', before)), { PASSWORD: 'one' });
  const next = await loadConfig(writeConfig(configText('b.test', more)), { PASSWORD: password });
  return { running, next, ...untilRestart(next, running.config) };
}

it('takes what a running agent can take', async () => {
  const { loaded, next, waiting } = await changed(
    `${before}log: { level: debug }\nconcurrency: { deploy: 3 }\n`,
  );
  expect(waiting).toEqual([]);
  expect(loaded).toEqual(next);
});

it('names the keys that wait for a restart, and keeps them as they are', async () => {
  const more = `dataDir: /var/lib/two
masterKey: { file: /etc/other.key }
redis: { url: 'redis://127.0.0.1:6380' }
http01: { port: 80 }
tlsAlpn01: { port: 8443 }
metrics: { listen: '127.0.0.1:9464' }
roles: [edge]
log: { level: warn }
`;
  const { loaded, running, waiting } = await changed(more);
  expect(waiting).toEqual(['dataDir', 'masterKey', 'redis', 'http01', 'tlsAlpn01', 'metrics', 'roles']);
  expect(loaded.config).toEqual({ ...running.config, log: { level: 'warn' } });
  expect(loaded.domains[0]?.domain.name).toBe('b.test');
});

it('sees that a password is another one', async () => {
  expect((await changed(before, 'two')).waiting).toEqual(['redis']);
});
