import { z } from 'zod';
import type { ProviderTraits } from '../../src/core/provider.ts';
import type { DeployTargetDefinition, DnsProviderDefinition } from '../../src/plugin/define.ts';

const models: Readonly<Record<ProviderTraits['model'], string>> = {
  records: 'one call a value, by id',
  'rrset-atomic': 'the server adds and removes values',
  'rrset-cas': 'record sets are changed only if they are as they were read',
  'rrset-replace': 'record sets are read, changed and written',
  'zone-replace': 'the whole zone is read, changed and written',
  opaque: 'a program or server of yours does it',
};

const turns: Readonly<Record<ProviderTraits['serialize'], string>> = {
  none: 'any number of calls at once',
  name: 'one call a name at a time',
  zone: 'one call a zone at a time',
  account: 'one call an account at a time',
};

const signals: Readonly<Record<ProviderTraits['propagation']['signal'], string>> = {
  api: 'when the API says so',
  authoritative: "when the zone's servers show it",
  delay: 'after a fixed time',
  person: "when a person has added it and the zone's servers show it",
};

/** What JSON Schema says of one option, as far as the table shows it. */
interface OptionSchema {
  readonly type?: string | undefined;
  readonly enum?: readonly string[] | undefined;
  readonly default?: unknown;
  readonly description?: string | undefined;
  readonly secret?: boolean | undefined;
  readonly properties?: Readonly<Record<string, OptionSchema>> | undefined;
  readonly required?: readonly string[] | undefined;
  readonly items?: OptionSchema | undefined;
  readonly additionalProperties?: OptionSchema | boolean | undefined;
}

interface Row {
  readonly name: string;
  readonly schema: OptionSchema;
  readonly required: boolean;
}

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
  const { name, title, docs, credentials, traits, leastPrivilege, notes = [] } = definition;
  return [
    `## ${name}`,
    docs === undefined ? title : `${title} ([documentation](${docs}))`,
    renderTraits(traits),
    renderOptions(definition.options),
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
  const schema = z.toJSONSchema(options, { io: 'input', unrepresentable: 'any' }) as OptionSchema;
  const cells = rowsOf(schema).map((row) => [
    `\`${row.name}\``,
    typeOf(row.schema),
    defaultOf(row),
    row.schema.description ?? '',
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

function renderTraits(traits: ProviderTraits): string {
  const { model, serialize, batch, removeIsExact, keepsRemoved, propagation } = traits;
  const typical = `${Math.round(propagation.typicalMs / 1000)} s`;
  const size = batch.maxChanges === 1 ? 'one change a call' : `up to ${batch.maxChanges} changes a call`;
  const lasting = keepsRemoved === true ? '; a value removed stands until others take its place' : '';
  const exact = removeIsExact ? lasting : '; removing a value removes its neighbours';
  return `How: ${models[model]}; ${turns[serialize]}; ${size}${exact}. Live: ${signals[propagation.signal]}, typically within ${typical}.`;
}

function rowsOf(schema: OptionSchema, prefix = ''): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, option]) => {
    const row = {
      name: `${prefix}${key}`,
      schema: option,
      required: schema.required?.includes(key) === true,
    };
    return [row, ...rowsOf(option, `${prefix}${key}.`)];
  });
}

function typeOf(schema: OptionSchema): string {
  if (schema.secret === true) return 'secret';
  if (schema.enum !== undefined) return schema.enum.join(', ');
  if (schema.type === 'array') return `list of ${typeOf(schema.items ?? {})}`;
  if (schema.type !== 'object')
    return schema.type === 'string' || schema.type === undefined ? 'text' : schema.type;
  const values = schema.additionalProperties;
  return typeof values === 'object' ? `map to ${typeOf(values)}` : 'map';
}

function defaultOf({ schema, required }: Row): string {
  if (schema.default === undefined) return required ? 'required' : '';
  return typeof schema.default === 'object' ? '' : `\`${schema.default}\``;
}
