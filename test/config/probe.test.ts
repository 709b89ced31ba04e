import { expect, test } from 'vitest';
import { issuers, mistakesOf, write } from './write.ts';

const target = (probe: string) =>
  `${issuers}deployTargets:\n  web:\n    target: files\n    path: /srv/certs\n    probe: ${probe}\n`;

async function loaded(probe: string) {
  return (await write(target(probe))).load();
}

test('a target is probed at the addresses that the file names, and nowhere without them', async () => {
  const { settings } = await loaded(
    `[192.0.2.1, '192.0.2.1:8443', '[2001:db8::1]:443', '2001:db8::2', edge.internal, 'edge:8443']`,
  );
  expect(settings.probes).toEqual({
    web: [
      { host: '192.0.2.1', port: 443 },
      { host: '192.0.2.1', port: 8443 },
      { host: '2001:db8::1', port: 443 },
      { host: '2001:db8::2', port: 443 },
      { host: 'edge.internal', port: 443 },
      { host: 'edge', port: 8443 },
    ],
  });
  for (const none of ['off', 'false', '[]']) expect((await loaded(none)).settings.probes).toBeUndefined();
});

test('another address is no other target: nothing is deployed anew for it, but the agents must agree', async () => {
  const [one, other, off] = await Promise.all([loaded('[192.0.2.1]'), loaded('[192.0.2.2]'), loaded('off')]);
  expect(one.settings.targetMarks).toEqual(other.settings.targetMarks);
  expect(one.settings.targetMarks).toEqual(off.settings.targetMarks);
  expect(one.sharedHash).not.toBe(other.sharedHash);
});

const like = 'like 192.0.2.1, 192.0.2.1:8443, "[2001:db8::1]:443" or edge.internal';

test.each([
  ['yes please', `6: deployTargets.web.probe: must be off, or a list of addresses ${like}`],
  ['[192.0.2.256]', `6: deployTargets.web.probe.0: must be an address ${like}`],
  ["[192.0.2.1, '192.0.2.1:0']", `6: deployTargets.web.probe.1: must be an address ${like}`],
  ["['192.0.2.1:65536']", `6: deployTargets.web.probe.0: must be an address ${like}`],
  ["['[192.0.2.1]:443']", `6: deployTargets.web.probe.0: must be an address ${like}`],
  ["['https://edge.internal']", `6: deployTargets.web.probe.0: must be an address ${like}`],
  ['[443]', `6: deployTargets.web.probe.0: must be an address ${like}`],
])('%s is no list of addresses', async (written, mistake) => {
  expect(await mistakesOf(target(written))).toEqual([mistake]);
});

test('there is an end to the addresses of one target', async () => {
  const many = Array.from({ length: 33 }, (_, index) => `192.0.2.${index}`);
  expect(await mistakesOf(target(`[${many.join(', ')}]`))).toEqual([
    '6: deployTargets.web.probe: must not be more than 32 addresses',
  ]);
});
