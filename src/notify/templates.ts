import type { Notice } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import {
  agentDoes,
  headingOf,
  inShort,
  personDoes,
  reminderOf,
  remindersGoOn,
  urgency,
  visitorsSee,
} from './sentences.ts';

export interface Message {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/**
 * One message for people out of any number of notices. Those of one kind and cause (code and issuer) become one
 * section with a list; most urgent first. `now`: when it is sent.
 */
export function renderMessage(notices: readonly Notice[], now: Instant): Message {
  const sections = toSections(notices, now);
  const [first] = sections;
  const more = sections.length > 1 ? `, and ${sections.length - 1} more` : '';
  return {
    subject: `[acme-agent] ${oneLine(first?.heading ?? 'Nothing to report')}${more}`,
    text: `${sections.map(textOf).join('\n\n\n')}\n\n-- \nacme-agent\n`,
    html: `<!doctype html><html><body style="font-family:sans-serif;max-width:42em">${sections.map(htmlOf).join('<hr>')}</body></html>`,
  };
}

interface Section {
  readonly heading: string;
  readonly items: readonly Item[];
  /** Label and sentence. */
  readonly facts: readonly (readonly [label: string, sentence: string])[];
}

interface Item {
  readonly names: string;
  /** Of its own, where the notices of a section differ. */
  readonly notes: readonly string[];
}

function toSections(notices: readonly Notice[], now: Instant): readonly Section[] {
  const groups = new Map<string, Notice[]>();
  for (const notice of notices) {
    const cause = JSON.stringify([notice.kind, notice.code, notice.issuer, notice.advice]);
    groups.set(cause, [...(groups.get(cause) ?? []), notice]);
  }
  const rank = ([notice]: readonly Notice[]) => (notice === undefined ? 0 : urgency.indexOf(notice.kind));
  return [...groups.values()].sort((a, b) => rank(a) - rank(b)).flatMap((group) => toSection(group, now));
}

function toSection(group: readonly Notice[], now: Instant): readonly Section[] {
  const [first] = group;
  if (first === undefined) return [];
  const names = [...new Set(group.flatMap(({ names, domain }) => (names.length > 0 ? names : [domain])))];
  const shared: (readonly [string, string])[] = [];
  const own: ((notice: Notice) => string)[] = [];
  const tell = (label: string, sentenceOf: (notice: Notice) => string | undefined) => {
    const sentences = new Set(group.map(sentenceOf));
    const [sentence] = sentences;
    if (sentences.size > 1) own.push((notice) => lines(label, sentenceOf(notice)));
    else if (sentence !== undefined && sentence !== '') shared.push([label, sentence]);
  };
  const numbered = group.some((notice) => reminderOf(notice) !== reminderOf(first));
  if (numbered) own.push((notice) => reminderOf(notice) ?? '');
  tell('What happened', whatHappened);
  tell('What visitors see', (notice) => visitorsSee(notice, now));
  tell('What the agent does', (notice) => agentDoes(notice, now));
  tell('What you can do', personDoes);
  tell('Reminders', remindersGoOn);
  if (first.kind === 'failed' || first.kind === 'reminder' || first.kind === 'expiring')
    shared.push(['Commands', commandsFor(names[0] ?? first.domain)]);
  const items = group.map((notice) => ({
    names: notice.names.join(', ') || notice.domain || 'all',
    notes: [...own.map((note) => note(notice)).filter((note) => note !== ''), ...(notice.records ?? [])],
  }));
  return [
    {
      heading: headingOf(numbered ? { ...first, reminder: undefined } : first, inShort(names)),
      items,
      facts: shared,
    },
  ];
}

function commandsFor(name: string): string {
  return `"acme-agent why ${name}" says more; "acme-agent ack ${name}" stops the reminders for up to 7 days.`;
}

function whatHappened({ message, issuer, code, kind }: Notice): string {
  const source = issuer === undefined || kind.startsWith('deploy') ? '' : ` (issuer ${issuer})`;
  return message === '' ? '' : `${message}${source}${code === undefined ? '' : ` [${code}]`}`;
}

function lines(label: string, sentence: string | undefined): string {
  return sentence === undefined || sentence === '' ? '' : `${label}: ${sentence}`;
}

function textOf({ heading, items, facts }: Section): string {
  const list = items.map(({ names, notes }) =>
    [`- ${names}`, ...notes.map((note) => `  ${note}`)].join('\n'),
  );
  const rest = facts.map(([label, sentence]) => `${label}: ${sentence}`);
  return [oneLine(heading), '', ...list, '', ...rest].join('\n');
}

function htmlOf({ heading, items, facts }: Section): string {
  const list = items.map(
    ({ names, notes }) =>
      `<li><b>${escapeHtml(names)}</b>${notes.map((note) => `<br>${escapeHtml(note)}`).join('')}</li>`,
  );
  const rest = facts.map(([label, sentence]) => `<p><b>${label}:</b> ${escapeHtml(sentence)}</p>`);
  return `<h2 style="font-size:1.2em">${escapeHtml(heading)}</h2><ul>${list.join('')}</ul>${rest.join('')}`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
