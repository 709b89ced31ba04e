import type { View } from './authoritative.ts';

/** What the nameservers of a zone say together about a value. */
export interface Verdict {
  readonly shown: boolean;
  /** Not one of them can be reached. */
  readonly filtered: boolean;
  readonly words: string;
}

/** All that can be reached must show the value, and at least half of the nameservers must be reached. */
export function judge(views: readonly View[], value: string): Verdict {
  const reached = views.filter(({ seen }) => seen.length > 0);
  const silent = views.filter(({ seen }) => seen.length === 0).map(({ server }) => server);
  const missing = reached
    .filter(({ seen }) => seen.some((values) => !values.has(value)))
    .map(({ server }) => server);
  const enough = reached.length * 2 >= views.length && reached.length > 0;
  const words = [
    missing.length > 0 ? `not yet at ${missing.join(', ')}` : '',
    silent.length > 0 ? `no answer with authority from ${silent.join(', ')}` : '',
  ].filter((part) => part !== '');
  return { shown: enough && missing.length === 0, filtered: reached.length === 0, words: words.join('; ') };
}
