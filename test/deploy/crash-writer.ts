import { createFilesTarget, makeBundle, slotOf } from './fixture.ts';

/** Run as a program: replaces one certificate by another, without end, until it is killed. */
const [, , path = ''] = process.argv;
const target = await createFilesTarget({ path });
const bundles = [await makeBundle(['a.example.com']), await makeBundle(['a.example.com'])];

for (let at = 0; ; at += 1) {
  const bundle = bundles[at % bundles.length];
  if (bundle === undefined) break;
  await target.deploy({ bundle, slot: slotOf('a.example.com') }, new AbortController().signal);
  process.stdout.write('.');
}
