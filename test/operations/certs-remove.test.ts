import { expect, test } from 'vitest';
import { certsRemove } from '../../src/operations/certs-remove.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { hostsRemove } from '../../src/operations/hosts.ts';
import { bench, day, start, useBench } from './fixture.ts';
import { issued, upload } from './uploads-kit.ts';

useBench();

const id = 'example.com/www.example.com/ec';

test('an upload is deleted with its keys, and the place that it had is cleared', async () => {
  await bench.run(domainsAdd, { name: 'example.com', mode: 'custom' });
  const added = await upload(issued(['www.example.com']));
  await bench.run(certsRemove, { id: added.id, force: true }, { requestedBy: 'ops' });
  expect(await bench.needs.certificates.lineage(added.id)).toBeUndefined();
  expect(await bench.needs.certificates.bundle(added.id)).toBeUndefined();
  expect(await bench.needs.certificates.uploads('example.com')).toEqual([]);
  expect(await bench.needs.due.at('remind', added.id)).toBeUndefined();
  expect(await bench.needs.deployments.get('files', added.id)).toMatchObject({
    leaving: { domain: 'example.com', label: 'www.example.com', keyClass: 'ec' },
  });
  expect(await bench.needs.due.at('deploy', `files|${added.id}`)).toBe(start);
  expect((await bench.events('certificate.removed'))[0]).toMatchObject({
    lineage: added.id,
    facts: { serial: added.serial, requestedBy: 'ops' },
  });
});

test('one that is all that visitors have is deleted by force only', async () => {
  await bench.run(domainsAdd, { name: 'example.com', mode: 'individual', hosts: ['www.example.com'] });
  const added = await upload(issued(['www.example.com']));
  const message = `${added.id} is what visitors of www.example.com get, and nothing trusted is held in its place; upload its successor, or use force`;
  await expect(bench.run(certsRemove, { id: added.id })).rejects.toMatchObject({ message });
  // What was ordered is there now.
  await bench.hold(id, start + 60 * day);
  await bench.run(certsRemove, { id: added.id });
  expect(await bench.needs.certificates.lineage(added.id)).toBeUndefined();
});

test('where the place is that of a host, the host is deployed anew and nothing is cleared', async () => {
  await bench.run(domainsAdd, { name: 'example.com', mode: 'individual', hosts: ['www.example.com'] });
  await bench.hold(id, start + 60 * day);
  const added = await upload(issued(['www.example.com']));
  await bench.run(certsRemove, { id: added.id });
  expect(await bench.needs.deployments.get('files', added.id)).toBeUndefined();
  expect(bench.woken.at(-1)).toEqual({ job: 'deploy', ids: [`files|${id}`] });
});

test('an expired one is deleted without a word', async () => {
  await bench.run(domainsAdd, { name: 'example.com', mode: 'custom' });
  const added = await upload(issued(['www.example.com']));
  bench.now = start + 91 * day;
  expect(await bench.run(certsRemove, { id: added.id })).toEqual({ removed: added.id });
});

test('one that is ordered for is deleted once nobody asks for it, also before it was issued', async () => {
  await bench.run(domainsAdd, { name: 'example.com', mode: 'individual', hosts: ['www.example.com'] });
  await expect(bench.run(certsRemove, { id })).rejects.toMatchObject({
    code: 'command.conflict',
    message: `${id} is not deleted: a host, a group or a domain asks for it`,
  });
  await bench.run(hostsRemove, { names: ['www.example.com'] });
  await bench.run(certsRemove, { id });
  expect(await bench.needs.certificates.lineage(id)).toBeUndefined();
});

test('the place of an upload is not cleared when what was ordered for the same name before is deleted', async () => {
  await bench.run(domainsAdd, { name: 'example.com', mode: 'individual', hosts: ['www.example.com'] });
  await bench.hold(id, start + 60 * day);
  await bench.seen(id);
  await bench.run(hostsRemove, { names: ['www.example.com'] });
  const added = await upload(issued(['www.example.com']));
  await bench.run(certsRemove, { id });
  expect(await bench.needs.deployments.get('files', id)).toBeUndefined();
  expect(await bench.needs.due.at('deploy', `files|${added.id}`)).toBe(start);
});

test('what is not there is told, and a run that was cut off is answered', async () => {
  await expect(bench.run(certsRemove, { id: 'cert-none' })).rejects.toMatchObject({
    code: 'command.notFound',
    message: 'there is no certificate cert-none; "certs list" shows the ids',
  });
  expect(await bench.run(certsRemove, { id: 'cert-none' }, { isRepeat: true })).toEqual({
    removed: 'cert-none',
  });
});
