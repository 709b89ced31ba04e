import type { z } from 'zod';
import { describeOptions, describeProvider } from '../../src/config/describe.ts';
import type { DeployTargetDefinition, DnsProviderDefinition } from '../../src/plugin/define.ts';

/** `providers/README.md`, from the definitions and the matrix of the last conformance run. */
export function renderProviders(
  definitions: readonly DnsProviderDefinition<unknown>[],
  matrix: string,
): string {
  const contents = definitions.map(({ name, title }) => `- [\`${name}\`](#${name}) — ${title}`);
  return [
    '# DNS providers',
    'Written from the definitions in this folder: change those, then run `npm run conformance -- test/providers/NAME.test.ts`. How to add one: `src/README.md`.',
    contents.join('\n'),
    ...definitions.map(renderProvider),
    matrix,
  ]
    .join('\n\n')
    .concat('\n');
}

function renderProvider(definition: DnsProviderDefinition<unknown>): string {
  const { name, title, docs, credentials, how, leastPrivilege, notes, options } =
    describeProvider(definition);
  return [
    `## ${name}`,
    docs === undefined ? title : `${title} ([documentation](${docs}))`,
    how,
    ...(options.length === 0 ? [] : [renderOptions(definition.options)]),
    ...(credentials === undefined ? [] : [`Credentials are made at <${credentials}>.`]),
    ...(leastPrivilege === undefined ? [] : [`Least rights:\n\n\`\`\`\n${leastPrivilege}\n\`\`\``]),
    ...(notes.length === 0 ? [] : [notes.map((note) => `- ${note}`).join('\n')]),
  ].join('\n\n');
}

/** `src/deploy/README.md`, from the definitions. */
export function renderTargets(definitions: readonly DeployTargetDefinition<unknown>[]): string {
  const contents = definitions.map(({ name, title }) => `- [\`${name}\`](#${name}) — ${title}`);
  return [
    '# Deploy targets',
    'Written from the definitions in this folder: change those, then run `npx vitest run test/deploy/readme.test.ts -u`.',
    contents.join('\n'),
    ...definitions.map(({ name, title, docs, options, notes = [] }) =>
      [
        `## ${name}`,
        docs === undefined ? title : `${title} ([documentation](${docs}))`,
        renderOptions(options),
        notes.map((note) => `- ${note}`).join('\n'),
      ].join('\n\n'),
    ),
  ]
    .join('\n\n')
    .concat('\n');
}

function renderOptions(options: z.ZodType<unknown>): string {
  const cells = describeOptions(options).map((option) => [
    `\`${option.name}\``,
    option.value,
    option.default === undefined ? (option.isRequired ? 'required' : '') : `\`${option.default}\``,
    option.summary,
  ]);
  return renderTable([['option', 'value', 'default', 'what it is'], ...cells]);
}

/** With columns of even width, as the formatter wants them. */
export function renderTable([head = [], ...body]: readonly (readonly string[])[]): string {
  const widths = head.map((cell, column) =>
    Math.max(3, cell.length, ...body.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}
