import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { testFolder } from '../support/run-folder.ts';

/** A configuration file with these lines, in a folder of its own. */
export function writeConfig(text: string): string {
  const file = join(testFolder('config'), 'acme-agent.yaml');
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

/** The least that counts as a configuration. */
export function configText(domain: string, more = ''): string {
  return `issuers:
  ca: { directory: 'https://ca.example.test/directory', email: operator@example.test, agreeToTerms: true }
deployTargets:
  web: { target: files, path: /srv/certificates }
domains:
  - { name: ${domain}, mode: individual, challenge: http-01 }
${more}`;
}
