import { z } from 'zod';
import type { ProviderTraits } from '../core/provider.ts';
import type { DnsProviderFacts, OptionFacts } from '../core/provider-facts.ts';
import type { DnsProviderDefinition } from '../plugin/define.ts';

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

/** What JSON Schema says of one option, as far as it is shown. */
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

/** For people who choose a provider, and for the generated documentation. */
export function describeProvider(definition: DnsProviderDefinition<unknown>): DnsProviderFacts {
  const { name, title, docs, credentials, traits, options, leastPrivilege, notes = [] } = definition;
  const facts = { name, title, docs, credentials, leastPrivilege, notes };
  return { ...facts, how: describeTraits(traits), options: describeOptions(options) };
}

/** In the order of their definition, each with those inside it after it. */
export function describeOptions(options: z.ZodType<unknown>): readonly OptionFacts[] {
  return optionsIn(z.toJSONSchema(options, { io: 'input', unrepresentable: 'any' }) as OptionSchema, '');
}

function describeTraits(traits: ProviderTraits): string {
  const { model, serialize, batch, removeIsExact, keepsRemoved, propagation } = traits;
  const typical = `${Math.round(propagation.typicalMs / 1000)} s`;
  const size = batch.maxChanges === 1 ? 'one change a call' : `up to ${batch.maxChanges} changes a call`;
  const lasting = keepsRemoved === true ? '; a value removed stands until others take its place' : '';
  const exact = removeIsExact ? lasting : '; removing a value removes its neighbours';
  const live = `Live: ${signals[propagation.signal]}`;
  if (propagation.signal === 'person') return `${live}.`;
  return `How: ${models[model]}; ${turns[serialize]}; ${size}${exact}. ${live}, typically within ${typical}.`;
}

function optionsIn(schema: OptionSchema, prefix: string): readonly OptionFacts[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, option]) => {
    const written = option.default;
    const isSingle = written !== undefined && typeof written !== 'object';
    const facts: OptionFacts = {
      name: `${prefix}${key}`,
      value: kindOf(option),
      isRequired: schema.required?.includes(key) === true && written === undefined,
      default: isSingle ? String(written) : undefined,
      summary: option.description ?? '',
    };
    return [facts, ...optionsIn(option, `${prefix}${key}.`)];
  });
}

function kindOf(schema: OptionSchema): string {
  if (schema.secret === true) return 'secret';
  if (schema.enum !== undefined) return schema.enum.join(', ');
  if (schema.type === 'array') return `list of ${kindOf(schema.items ?? {})}`;
  if (schema.type !== 'object')
    return schema.type === 'string' || schema.type === undefined ? 'text' : schema.type;
  const values = schema.additionalProperties;
  return typeof values === 'object' ? `map to ${kindOf(values)}` : 'map';
}
