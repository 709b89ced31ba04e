import type { DnsProviderDefinition } from '../src/plugin/define.ts';
import { acmeDns } from './acme-dns.ts';
import { acmesh } from './acmesh.ts';
import { alidns } from './alidns.ts';
import { azure } from './azure.ts';
import { bunny } from './bunny.ts';
import { challtestsrv } from './challtestsrv.ts';
import { cloudflare } from './cloudflare.ts';
import { desec } from './desec.ts';
import { digitalocean } from './digitalocean.ts';
import { dnsimple } from './dnsimple.ts';
import { exec } from './exec.ts';
import { gandi } from './gandi.ts';
import { godaddy } from './godaddy.ts';
import { google } from './google.ts';
import { hetzner } from './hetzner.ts';
import { httpreq } from './httpreq.ts';
import { infomaniak } from './infomaniak.ts';
import { inwx } from './inwx.ts';
import { linode } from './linode.ts';
import { manual } from './manual.ts';
import { nameCom } from './name-com.ts';
import { namecheap } from './namecheap.ts';
import { netcup } from './netcup.ts';
import { ovh } from './ovh.ts';
import { porkbun } from './porkbun.ts';
import { powerdns } from './powerdns.ts';
import { rfc2136 } from './rfc2136.ts';
import { route53 } from './route53.ts';
import { scaleway } from './scaleway.ts';
import { tencent } from './tencent.ts';
import { vultr } from './vultr.ts';

export { listScripts, type ScriptInfo, type ScriptOption } from './acmesh-info.ts';

/** The DNS providers that come with the agent. */
export const dnsProviders: readonly DnsProviderDefinition<unknown>[] = [
  route53,
  rfc2136,
  powerdns,
  cloudflare,
  hetzner,
  google,
  azure,
  desec,
  gandi,
  godaddy,
  namecheap,
  digitalocean,
  linode,
  dnsimple,
  bunny,
  porkbun,
  nameCom,
  vultr,
  scaleway,
  infomaniak,
  tencent,
  alidns,
  netcup,
  inwx,
  ovh,
  acmeDns,
  acmesh,
  exec,
  httpreq,
  manual,
  challtestsrv,
];
