import type { DnsProviderFacts, OptionFacts } from '../core/provider-facts.ts';
import { facts, table } from './print.ts';

/** The text of `providers show`: what to write, what to allow, what to know. */
export function renderProvider(provider: DnsProviderFacts): string {
  const { name, title, docs, credentials, how, options, leastPrivilege, notes } = provider;
  const parts = [
    facts([
      ['provider', name],
      ['what', title],
      ['documentation', docs],
      ['credentials', credentials],
    ]),
    `${how}\n`,
    options.length === 0
      ? 'It has no options.\n'
      : table(
          ['OPTION', 'VALUE', 'DEFAULT', 'WHAT IT IS'],
          options.map((option) => [option.name, option.value, defaultOf(option), option.summary]),
        ),
    ...(leastPrivilege === undefined ? [] : [`Least rights, to paste there:\n\n${leastPrivilege}\n`]),
    notes.map((note) => `- ${note}\n`).join(''),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function defaultOf(option: OptionFacts): string {
  return option.default ?? (option.isRequired ? 'required' : '-');
}
