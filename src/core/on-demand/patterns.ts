import { isAddress } from '../address.ts';
import { parseName, refusal } from '../names.ts';

/** Why a text is no pattern of names: `*` stands for exactly one label, anywhere, all else for itself. undefined: it is one. */
export function patternRefusal(text: string): string | undefined {
  const labels = labelsOf(text);
  const isMixed = labels.some((label) => label.length > 1 && label.includes('*'));
  if (isMixed) return '"*" stands for a whole label';
  const probe = probeOf(labels);
  return refusal(probe) ?? (isAddress(parseName(probe)) ? 'it is an IP address' : undefined);
}

/** In its one written form. */
export function parsePattern(text: string): string {
  const labels = labelsOf(text);
  const named = parseName(probeOf(labels)).split('.');
  return named.map((label, index) => (labels[index] === '*' ? '*' : label)).join('.');
}

/** Both in their one written form. */
export function isAllowed(name: string, patterns: readonly string[]): boolean {
  const labels = name.split('.');
  return patterns.some((pattern) => {
    const wanted = pattern.split('.');
    return (
      wanted.length === labels.length && wanted.every((label, i) => label === '*' || label === labels[i])
    );
  });
}

/** It stands for names of whoever registers one. */
export function isOfAnybody(pattern: string): boolean {
  return pattern.split('.').slice(-2).includes('*');
}

/** What all names that it stands for end with; empty: nothing. */
export function patternSuffix(pattern: string): string {
  return pattern.slice(pattern.lastIndexOf('*') + 1).replace(/^\./, '');
}

function labelsOf(text: string): readonly string[] {
  return text.trim().replace(/\.$/, '').split('.');
}

/** The pattern as a name. */
function probeOf(labels: readonly string[]): string {
  return labels.map((label) => (label === '*' ? 'x' : label)).join('.');
}
