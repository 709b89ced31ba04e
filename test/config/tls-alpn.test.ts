import { expect, test } from 'vitest';
import { issuers, write } from './write.ts';

const domains = 'domains: [{ name: example.com, challenge: tls-alpn-01, hosts: [example.com] }]\n';

async function load(listener: string) {
  return (await write(`${issuers}${listener}${domains}`)).load();
}

test('a listener for tls-alpn-01 opens the challenge; without more it is port 443 of all addresses', async () => {
  const { config, settings, domains: read } = await load('tlsAlpn01: {}\n');
  expect(config.tlsAlpn01).toEqual({ port: 443, address: '::', forward: undefined });
  expect(settings.answersTlsAlpn).toBe(true);
  expect(read[0]?.domain.challenge).toBe('tls-alpn-01');
});

test('what is no challenge goes to a server behind, on the same port of another address too', async () => {
  const { config } = await load(
    'tlsAlpn01: { port: 443, address: 192.0.2.7, forward: "127.0.0.1:443", proxyProtocol: true }\n',
  );
  expect(config.tlsAlpn01?.forward).toEqual({ host: '127.0.0.1', port: 443, proxyProtocol: true });
});

test('agents may listen elsewhere and still agree', async () => {
  const [one, other] = await Promise.all([
    load('tlsAlpn01: { port: 8443 }\n'),
    load('tlsAlpn01: { port: 9443, forward: "web:443" }\n'),
  ]);
  expect(one.sharedHash).toBe(other.sharedHash);
});

test('an IP address is a domain with itself for a host, in its one written form', async () => {
  const file = `${issuers}domains: [{ name: "2001:DB8:0::7", profile: shortlived, hosts: ["2001:db8::7"] }]\n`;
  const { domains: read } = await (await write(file)).load();
  expect(read[0]?.domain.name).toBe('2001:db8::7');
  expect(read[0]?.hosts[0]?.name).toBe('2001:db8::7');
});
