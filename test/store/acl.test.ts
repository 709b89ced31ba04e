import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { aclRules } from '../../src/store/acl.ts';
import { projectRoot } from '../support/root.ts';

/** Of the queue library, what its classes run for what we ask of them; with the number of keys, as its files are named. */
const queueScripts = [
  ...['addStandardJob-9', 'addDelayedJob-6', 'changeDelay-4', 'getCounts-1', 'getStateV2-8', 'isFinished-3'],
  ...['moveToActive-11', 'moveToFinished-14', 'moveToDelayed-11', 'moveJobFromActiveToWait-9'],
  ...['moveStalledJobsToWait-9', 'extendLocks-1', 'saveStacktrace-1'],
];

/** Sent by the classes of the queue library and by the driver themselves, or held in variables of those scripts. */
const sentElsewhere = [
  ...['bzpopmin', 'xread', 'multi', 'exec', 'client|list', 'lpush', 'rpush'],
  ...['hello', 'auth', 'ping', 'quit', 'select', 'readonly', 'asking'],
  ...['client|setname', 'client|setinfo', 'cluster|slots', 'cluster|info'],
];

const granted = [...aclRules.matchAll(/\+(\S+)/g)].map(([, command = '']) => command);

test('the rights that the README gives are those that the store is tested with', () => {
  const readme = readFileSync(join(projectRoot, 'README.md'), 'utf8');
  const given = readme.split('```').find((block) => block.includes('resetkeys'));
  expect(given?.trim().split(/\s+/)).toEqual(aclRules.split(' '));
});

test('the rights are all that the scripts of the queue library need, and none is without a use', () => {
  const called = new Set(queueScripts.flatMap(commandsOfScript));
  expect([...called].filter((command) => !granted.includes(command))).toEqual([]);
  const sources = storeSources();
  const isUsed = (command: string) =>
    called.has(command) || sentElsewhere.includes(command) || isInStore(command, sources);
  expect(granted.filter((command) => !isUsed(command))).toEqual([]);
});

function commandsOfScript(name: string): string[] {
  const text = readFileSync(join(projectRoot, `node_modules/bullmq/dist/esm/scripts/${name}.js`), 'utf8');
  return [...text.matchAll(/\brcall\(\s*["']([A-Za-z]+)["']/g)].map(([, command = '']) =>
    command.toLowerCase(),
  );
}

function storeSources(): string {
  const folder = join(projectRoot, 'src/store');
  return readdirSync(folder)
    .filter((file) => file !== 'acl.ts')
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n');
}

/** Called as a method of the driver, by name, or in a script of ours. */
function isInStore(command: string, sources: string): boolean {
  const [name = '', part] = command.split('|');
  const asPart = part === undefined ? '' : `['"]${part}`;
  return new RegExp(
    `\\.${name}(Buffer)?\\(${asPart}|['"]${name}['"]${part === undefined ? '' : `,\\s*${asPart}`}`,
    'i',
  ).test(sources);
}
