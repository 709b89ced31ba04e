import type { Instant } from '../core/types.ts';
import type { Shown, ShownFacts, TargetView } from './targets.ts';
import { counted, relative, sentence, soonOrAt, when } from './words.ts';

/** What visitors of `subject` get, as far as it was seen. Pure. */
export function headline(subject: string, { wanted, targets }: Shown, now: Instant): string {
  const [first] = targets;
  if (first === undefined)
    return wanted === undefined
      ? `${subject} has no certificate yet; its domain has no deploy target that would show one.`
      : `${subject} has ${described(wanted, now)}; its domain has no deploy target, so it stays in the store.`;
  const sights = new Set(targets.map(({ seen, source }) => seen?.fingerprint ?? source));
  if (sights.size > 1) return `${subject} is not served the same everywhere; this is what its targets show.`;
  if (targets.every(isUntold))
    return `${subject} has a certificate at its target, but no server was told of it: the reload failed.`;
  if (first.shows === 'nothing')
    return `${subject} is served nothing yet, not even the self-signed fallback: no deploy target was seen to show one.`;
  return `${subject} is served ${seenWords(first, now)}.`;
}

/** Whether the fallback is all that visitors get, as far as it was seen. */
export function isStandIn({ wanted, targets }: Shown): boolean {
  if (targets.length === 0) return wanted?.source === 'self-signed';
  return targets.every(({ source }) => source === 'self-signed');
}

/** Placed for the first time, and all reloads have failed since. */
function isUntold({ seenAt, lastError }: TargetView): boolean {
  return seenAt === undefined && lastError?.code === 'deploy.reload';
}

function seenWords({ seen, source }: TargetView, now: Instant): string {
  if (seen !== undefined) return described(seen, now);
  return source === 'self-signed' ? selfSigned : 'an earlier certificate, which is no longer held here';
}

const selfSigned = 'the self-signed fallback, which browsers warn of';

export function described({ source, issuer, issuerName, notAfter }: ShownFacts, now: Instant): string {
  const expiry = `${notAfter > now ? 'valid until' : 'EXPIRED since'} ${when(notAfter, now)}`;
  switch (source) {
    case 'self-signed':
      return `${selfSigned}, ${expiry}`;
    case 'upload':
      return `an uploaded certificate of ${issuerName}, ${expiry}`;
    case 'acme':
      return `a certificate of ${issuer ?? 'a former issuer'} (${issuerName}), ${expiry}`;
  }
}

export function atTarget(view: TargetView, now: Instant): readonly string[] {
  const { target, failures, lastError: error, amiss, nextAt } = view;
  const head = `At ${target}: ${sight(view, now)}.`;
  if (view.shows === 'same' && failures === 0 && amiss === undefined) return [head];
  const fault =
    error === undefined
      ? []
      : [
          `  ${counted(failures, 'deployment')} failed, the last ${relative(error.at, now)}: ${sentence(error.message)}`,
          ...(error.advice === undefined ? [] : [`  What to do: ${error.advice}`]),
        ];
  const outside =
    amiss === undefined
      ? []
      : [
          `  But clients are shown something else since ${when(amiss.since, now)}: ${sentence(amiss.message)}`,
        ];
  const again = nextAt === undefined ? 'none is planned' : soonOrAt(nextAt, now);
  return [head, ...fault, ...outside, `  Next deployment: ${again}.`];
}

function sight(view: TargetView, now: Instant): string {
  const { shows, seenAt, lastError: error } = view;
  if (isUntold(view)) return reloadFailed;
  if (seenAt === undefined) return 'nothing was seen there yet';
  const at = relative(seenAt, now);
  if (shows === 'same') return `in place, last seen ${at}`;
  return error?.code === 'deploy.reload'
    ? `${reloadFailed}; seen before, ${at}: ${former(view, now)}`
    : `still ${former(view, now)}, last seen ${at}`;
}

const reloadFailed = 'the new one lies there, but the reload failed';

function former({ source, seen }: TargetView, now: Instant): string {
  if (source === 'self-signed') return 'the self-signed fallback';
  return seen === undefined || seen.notAfter > now ? 'an earlier one' : 'an EXPIRED one';
}
