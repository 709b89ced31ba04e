import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import { findShownZone, findZoneByName } from '../../src/plugin/zones.ts';

const name = '_acme-challenge.www.example.com';
const refused = {
  forbidden: new AgentError('provider.forbidden', 'the token does not open this domain'),
  invalid: new AgentError('provider.invalid', 'this is no domain name'),
  auth: new AgentError('provider.auth', 'the token is not known'),
};

/** A vendor that answers for these names as told, and has no other. */
function vendor(answers: Readonly<Record<string, AgentError | 'zone'>>) {
  const asked: string[] = [];
  const find = findZoneByName(name, async (candidate) => {
    asked.push(candidate);
    const answer = answers[candidate];
    if (answer instanceof AgentError) throw answer;
    return answer && { name: candidate };
  });
  return { asked, find };
}

describe('the search for a zone by name', () => {
  it('goes on above a name that the vendor takes for none, or does not open', async () => {
    const { find, asked } = vendor({
      [name]: refused.invalid,
      'www.example.com': refused.forbidden,
      'example.com': 'zone',
    });
    await expect(find).resolves.toEqual({ name: 'example.com' });
    expect(asked).toEqual([name, 'www.example.com', 'example.com']);
  });

  it('tells of rights that lack where no zone is found', async () => {
    await expect(vendor({ 'example.com': refused.forbidden }).find).rejects.toBe(refused.forbidden);
  });

  it('finds nothing where one name is invalid and the others are not there', async () => {
    await expect(vendor({ [name]: refused.invalid }).find).resolves.toBeUndefined();
  });

  it('tells why each name is refused where all are', async () => {
    const { invalid } = refused;
    const { find } = vendor({ [name]: invalid, 'www.example.com': invalid, 'example.com': invalid });
    await expect(find).rejects.toBe(invalid);
  });

  it('ends at once where the credentials are not taken', async () => {
    const { find, asked } = vendor({ [name]: refused.auth, 'example.com': 'zone' });
    await expect(find).rejects.toBe(refused.auth);
    expect(asked).toEqual([name]);
  });
});

describe('the search for a zone that the vendor shows', () => {
  it('asks for each name, and takes the first that is there', async () => {
    const asked: string[] = [];
    const find = findShownZone(
      {
        async send({ path, accept }) {
          asked.push(path);
          const status = path === '/example.com' ? 200 : 404;
          if (status === 404 && accept?.includes(404) !== true) throw refused.invalid;
          return { status, headers: {}, text: '', body: undefined };
        },
      },
      async (candidate) => ({ doing: `to show ${candidate}`, path: `/${candidate}` }),
    );
    const signal = new AbortController().signal;
    await expect(find(name, signal)).resolves.toEqual({ name: 'example.com' });
    expect(asked).toEqual([`/${name}`, '/www.example.com', '/example.com']);
    await expect(find('example.net', signal)).resolves.toBeUndefined();
  });
});
