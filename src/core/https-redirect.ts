import { isAllowed } from './on-demand/patterns.ts';
import type { Ports } from './ports.ts';
import { readShown } from './shown.ts';
import type { HttpsRedirect, Instant, Settings } from './types.ts';

export const httpsRedirects = [
  'off',
  '301',
  '302',
  '307',
  '308',
  '426',
] as const satisfies readonly HttpsRedirect[];

/** Strict-Transport-Security, RFC 6797. */
export interface Hsts {
  readonly days: number;
  readonly includeSubDomains: boolean;
  readonly preload: boolean;
}

type Needs = Pick<Ports, 'wishes' | 'certificates' | 'bindings' | 'renewals' | 'hostAsks'> & {
  settings(): Settings;
};

/** It lasts, and keeps method and body. */
const usualRedirect: HttpsRedirect = '308';

/**
 * What plain HTTP for a name is answered with, as its domain says: for hosts, for names that a certificate is shown for, and for
 * those that are taken in once a client asks for them by HTTPS. undefined: the name is not ours, so nobody is sent anywhere by it.
 */
export async function readRedirect(
  name: string,
  now: Instant,
  needs: Needs,
): Promise<HttpsRedirect | undefined> {
  const { wishes, settings } = needs;
  const [domain, host] = await Promise.all([wishes.domainOf(name), wishes.host(name)]);
  if (host === undefined && !(await isShown(name, now, needs)) && !(await isAwaited(name, needs)))
    return undefined;
  return (domain ?? settings().defaults).redirect ?? usualRedirect;
}

async function isShown(name: string, now: Instant, needs: Needs): Promise<boolean> {
  return (await readShown({ name, now }, needs)).certificates.length > 0;
}

async function isAwaited(name: string, { settings, hostAsks }: Needs): Promise<boolean> {
  const rules = settings().onDemand;
  return (
    rules !== undefined && isAllowed(name, rules.allow) && (await hostAsks.refusalOf(name)) === undefined
  );
}
