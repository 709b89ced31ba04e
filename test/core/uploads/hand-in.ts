import type { CertificateAdded } from '../../../src/operations/certs-add.ts';
import { certsAdd } from '../../../src/operations/certs-add.ts';
import { type Forged, type ForgeOptions, forge, keyPem } from '../../support/forge.ts';
import { handIn, intermediate, root } from '../../x509/upload/pki.ts';
import { runIn } from '../run-command.ts';
import type { World } from '../world.ts';

/** A certificate as a person hands it in, with all that belongs to it. */
export async function handInto(
  world: World,
  names: readonly string[],
  { input = {}, ...more }: Partial<ForgeOptions> & { readonly input?: object } = {},
): Promise<CertificateAdded & { readonly one: Forged }> {
  const one = forge({ subject: names[0] ?? 'nameless', issuer: intermediate, names, ...more });
  const files = handIn(one.pem + intermediate.pem + root.pem + keyPem(one.key));
  const staging = await world.store.staging.put(files);
  return { ...(await runIn(world, certsAdd, { staging, ...input })), one };
}
