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

/** It lasts, and keeps method and body. */
const usualRedirect: HttpsRedirect = '308';

/**
 * What plain HTTP for a name is answered with, as its domain says: for hosts, and for names that a certificate is shown
 * for. undefined: the name is not ours, so nobody is sent anywhere by it.
 */
export async function readRedirect(
  name: string,
  now: Instant,
  needs: Pick<Ports, 'wishes' | 'certificates' | 'bindings' | 'renewals'> & { settings(): Settings },
): Promise<HttpsRedirect | undefined> {
  const { wishes, settings } = needs;
  const [domain, host] = await Promise.all([wishes.domainOf(name), wishes.host(name)]);
  if (host === undefined && (await readShown(name, now, needs)).certificates.length === 0) return undefined;
  return (domain ?? settings().defaults).redirect ?? usualRedirect;
}
