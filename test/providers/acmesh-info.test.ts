import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { acmesh } from '../../providers/acmesh.ts';
import { listScripts } from '../../providers/index.ts';
import { issuers, write } from '../config/write.ts';
import { testFolder } from '../support/run-folder.ts';

const plain = `#!/usr/bin/env sh
# shellcheck disable=SC2034
dns_plain_info='Plain DNS
 Its API, in a sentence.
Domains: plain.test
Site: plain.test
Docs: plain.test/docs#dns_plain
Options:
 PLAIN_Token API Token
 PLAIN_Url API URL. E.g. "http://ns.plain.test:8081"
 PLAIN_Ttl TTL. Default: "60".
 PLAIN_Zone Zone. Optional.
 PLAIN_Misspelt Not in use
Issues: plain.test/issues/1
Author: Somebody <somebody@plain.test>
'
dns_plain_add() { echo "$PLAIN_Token $PLAIN_Url $PLAIN_Hidden"; }
`;

const alternatives = `dns_two_info='Two ways
Site: two.test
Options: For the old API
 TWO_Key Key
 TWO_Email E-mail address
OptionsAlt: For the new API
  TWO_Token      Token
  TWO_Account    Account (optional)
Optional:
 TWO_Api Another endpoint
Notes:
  - Records are cached
'
dns_two_add() { echo "$TWO_Key $TWO_Email $TWO_Token $TWO_Account"; }
`;

const json = `dns_json_info='[
  {"name":"JSON_Token","usage":"Your token.","required":"1"},
  {"name":"JSON_Base","usage":"Another URL","required":"0"}
]'
`;

function dnsapi(): string {
  const folder = join(testFolder('dnsapi'), 'dnsapi');
  mkdirSync(folder);
  const scripts = {
    dns_plain: plain,
    dns_two: alternatives,
    dns_json: json,
    dns_mute: 'dns_mute_add() { :; }\n',
  };
  for (const [name, text] of Object.entries(scripts)) writeFileSync(join(folder, `${name}.sh`), text);
  writeFileSync(join(folder, 'README.md'), 'no script');
  return folder;
}

describe('the scripts of a dnsapi folder', () => {
  const folder = dnsapi();
  const scripts = new Map(listScripts(folder).map((script) => [script.name, script]));

  it('are listed by name', () => {
    expect([...scripts.keys()]).toEqual(['dns_json', 'dns_mute', 'dns_plain', 'dns_two']);
  });

  it('tell their vendor, its site and documentation, and their variables', () => {
    expect(scripts.get('dns_plain')).toMatchObject({
      name: 'dns_plain',
      path: join(folder, 'dns_plain.sh'),
      title: 'Plain DNS',
      site: 'plain.test',
      docs: 'plain.test/docs#dns_plain',
      options: [
        [
          { name: 'PLAIN_Token', description: 'API Token', optional: false },
          { name: 'PLAIN_Url', description: 'API URL. E.g. "http://ns.plain.test:8081"', optional: false },
          { name: 'PLAIN_Ttl', description: 'TTL. Default: "60".', optional: true },
          { name: 'PLAIN_Zone', description: 'Zone. Optional.', optional: true },
          { name: 'PLAIN_Misspelt', description: 'Not in use', optional: false },
        ],
      ],
    });
  });

  it('may have sets of variables to choose from', () => {
    const sets = scripts
      .get('dns_two')
      ?.options.map((set) => set.map(({ name, optional }) => `${name} ${optional}`));
    expect(sets).toEqual([
      ['TWO_Key false', 'TWO_Email false'],
      ['TWO_Token false', 'TWO_Account true', 'TWO_Api true'],
    ]);
  });

  it('may tell them in JSON', () => {
    expect(scripts.get('dns_json')?.options).toEqual([
      [
        { name: 'JSON_Token', description: 'Your token.', optional: false },
        { name: 'JSON_Base', description: 'Another URL', optional: true },
      ],
    ]);
  });

  it('may tell nothing', () => {
    expect(scripts.get('dns_mute')).toMatchObject({ title: 'dns_mute', options: [] });
  });
});

describe('an account with a dnsapi script', () => {
  const folder = dnsapi();
  const mistakes = async (account: object) => {
    const file = await write(
      `${issuers}dnsAccounts: { hook: ${JSON.stringify({ provider: 'acmesh', ...account })} }\n`,
    );
    return (await file.mistakes()).map((line) => line.replace(/^\d+: dnsAccounts\.hook\./, ''));
  };
  const sound = { PLAIN_Token: 'x', PLAIN_Url: 'http://plain.test' };

  it.each([
    { script: 'dns_plain', variables: sound },
    {
      script: 'dns_plain',
      variables: { ...sound, PLAIN_Zone: 'a.test', PLAIN_Hidden: 'mentioned in the script' },
    },
    { script: 'dns_plain', variables: { ...sound, PLAIN_Url: '' } },
    { script: 'dns_two', variables: { TWO_Token: 'x' } },
    { script: 'dns_two', variables: { TWO_Key: 'x', TWO_Email: 'a@two.test' } },
    { script: 'dns_mute' },
  ])('may have %j', (account) => {
    expect(acmesh.options.safeParse({ dnsapi: folder, ...account }).error).toBeUndefined();
  });

  it('is told of a variable that the script does not know', async () => {
    const variables = { ...sound, PLAIN_Tokn: 'x', SOMETHING_ELSE: 'y' };
    expect(await mistakes({ dnsapi: folder, script: 'dns_plain', variables })).toEqual([
      expect.stringMatching(
        /^variables\.PLAIN_Tokn: dns_plain has no such variable, did you mean "PLAIN_Token"\?$/,
      ),
      expect.stringMatching(
        /^variables\.SOMETHING_ELSE: dns_plain has no such variable; it has PLAIN_Token, PLAIN_Url, PLAIN_Ttl \(optional\), PLAIN_Zone \(optional\), PLAIN_Misspelt; what is for a program that it runs goes under "env"$/,
      ),
    ]);
  });

  it('is told of the variables that the script needs', async () => {
    expect(await mistakes({ dnsapi: folder, script: 'dns_plain', variables: { PLAIN_Token: 'x' } })).toEqual([
      expect.stringMatching(/^variables: dns_plain needs PLAIN_Url; give '' for one that it can do without/),
    ]);
    expect(await mistakes({ dnsapi: folder, script: 'dns_two' })).toEqual([
      expect.stringMatching(/needs variables: TWO_Key, TWO_Email; or TWO_Token, TWO_Account \(optional\)/),
    ]);
  });

  it('is told of a script that is not there', async () => {
    expect(await mistakes({ dnsapi: '/nowhere/dnsapi', script: 'dns_plain' })).toEqual([
      'dnsapi: /nowhere/dnsapi is not there, or this user may not enter it',
    ]);
    expect(await mistakes({ dnsapi: folder })).toEqual([expect.stringMatching(/^script: is missing: name/)]);
    expect(await mistakes({ dnsapi: folder, script: 'dns_plane' })).toEqual([
      `script: there is no dns_plane.sh in ${folder}, did you mean "dns_plain"?`,
    ]);
    const single = join(folder, 'dns_mute.sh');
    expect(acmesh.options.safeParse({ dnsapi: single }).error).toBeUndefined();
    expect(await mistakes({ dnsapi: single, script: 'dns_mute' })).toEqual([
      expect.stringMatching(/^script: does not go with a "dnsapi" that is a script itself/),
    ]);
    expect(await mistakes({ dnsapi: 'dnsapi', script: 'dns_mute' })).toEqual([
      'dnsapi: must be an absolute path',
    ]);
  });

  it('takes variables from the environment and from files, and prints none of them', async () => {
    const variables = { PLAIN_Token: { env: 'TOKEN' }, PLAIN_Url: { file: './url' } };
    const account = { provider: 'acmesh', dnsapi: folder, script: 'dns_plain', variables };
    const file = await write(`${issuers}dnsAccounts: { hook: ${JSON.stringify(account)} }\n`, {
      url: 'http://plain.test\n',
    });
    const { config } = await file.load({ TOKEN: 'a-token' });
    const options = acmesh.options.parse(config.dnsAccounts[0]?.options);
    expect(options.variables.PLAIN_Token?.reveal()).toBe('a-token');
    expect(options.variables.PLAIN_Url?.reveal()).toBe('http://plain.test');
    expect(JSON.stringify(config.dnsAccounts)).not.toMatch(/a-token|http:/);
  });
});
