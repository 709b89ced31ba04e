import type { Answer, Front, Incoming } from './server.ts';
import type { World } from './world.ts';

/**
 * netcup's CCP API, as https://ccp.netcup.net/run/webservice/servers/endpoint.php has it: actions in the body, a session
 * by login, all answers with status 200, and only records that change in updateDnsRecords. The words of its errors are
 * those that its clients report.
 */
export const customerNumber = '12345';
export const apiKey = 'emulated-netcup-key';
export const apiPassword = 'emulated-netcup-password';

interface NetcupFront extends Front {
  /** Forgets all sessions. */
  endSessions(): void;
  /** Forgets each session at once from now on. */
  loseSessions(): void;
  /** Refuses everything from now on, as after many mistakes: https://github.com/go-acme/lego/issues/912. */
  blame(): void;
}

export function createNetcupFront(): NetcupFront {
  const sessions = new Set<string>();
  let [loses, blames] = [false, false];
  return {
    endSessions: () => sessions.clear(),
    loseSessions: () => {
      loses = true;
    },
    blame: () => {
      blames = true;
    },
    isAuthorized: ({ json }) =>
      json?.param?.customernumber === customerNumber &&
      json.param.apikey === apiKey &&
      (json.action !== 'login' || json.param.apipassword === apiPassword),
    refusal(why) {
      if (why === 'credentials')
        return refuse(4013, 'The login to the API failed. Api key or password wrong.');
      if (why === 'haste')
        return refuse(4013, 'More than 180 requests per minute. Please wait and retry later.');
      return refuse(5000, 'Internal error.');
    },
    routes: (world) => [
      {
        method: 'POST',
        path: '/',
        writes: ({ json }) => json?.action === 'updateDnsRecords',
        run(request) {
          if (blames) return refuse(4013, 'Too many error messages, please check your commands.');
          const answer = act(world, request, sessions);
          if (loses) sessions.clear();
          return answer;
        },
      },
    ],
  };
}

function act(world: World, { json, query }: Incoming, sessions: Set<string>): Answer {
  const { action, param } = json;
  if (!query.has('JSON')) return { status: 200, text: '<html>DomainWebservice SOAP WebService</html>' };
  if (action === 'login') {
    const apisessionid = `session-${sessions.size}-${Math.random().toString(36).slice(2)}`;
    sessions.add(apisessionid);
    return ok({ apisessionid });
  }
  if (!sessions.has(param.apisessionid)) return refuse(4001, 'The session id is not in a valid format.');
  if (!/^[^.]+\.[^.]+(?:\.[^.]+)?$/.test(param.domainname))
    return refuse(4013, 'Value in field domainname does not match requirements of type: domainname.');
  const zone = world.zones.find(({ name }) => name === param.domainname)?.name;
  if (action === 'infoDnsZone')
    return zone === undefined ? noZone(5029, param.domainname) : ok({ name: zone, ttl: '86400' });
  if (action === 'infoDnsRecords')
    return zone === undefined ? noZone(5029, param.domainname) : records(world, zone);
  if (action !== 'updateDnsRecords') return refuse(4013, 'Value in field action is not known.');
  return zone === undefined
    ? noZone(5028, param.domainname)
    : update(world, zone, param.dnsrecordset.dnsrecords);
}

function noZone(statuscode: number, zone: string): Answer {
  return refuse(statuscode, `Can not get DNS records for zone. The zone ${zone} could not be found.`);
}

/** The words, in this order, are those of https://github.com/mrueg/external-dns-netcup-webhook/issues/5. */
function records(world: World, zone: string): Answer {
  const dnsrecords = list(world, zone);
  if (dnsrecords.length > 0) return ok({ dnsrecords });
  return refuse(
    5029,
    `Can not get DNS records for zone.  The zone does not ${zone} contain any DNS records.`,
  );
}

interface Sent {
  readonly id?: string;
  readonly hostname: string;
  readonly type: string;
  readonly destination: string;
  readonly deleterecord?: boolean;
}

function list(world: World, zone: string) {
  return world.records(zone).map(({ id, name, type, value }) => ({
    id: String(id),
    hostname: name === zone ? '@' : name.slice(0, -zone.length - 1),
    type,
    priority: '0',
    destination: value,
    deleterecord: false,
    state: 'yes',
  }));
}

/** One with an id that is not to be deleted would be changed; the provider sends none. */
function update(world: World, zone: string, sent: readonly Sent[]): Answer {
  for (const one of sent) {
    const name = one.hostname === '@' ? zone : `${one.hostname}.${zone}`;
    const problem = world.problem(zone, { name });
    if (problem !== undefined || one.type !== 'TXT' || (one.id === undefined) === (one.deleterecord === true))
      return refuse(4013, `Value in field hostname does not match requirements: ${problem ?? one.type}`);
    // As https://github.com/YunoHost/issues/issues/2513 has it; long values go whole (DNSControl/dnscontrol#1416).
    if (/^".*"$/.test(one.destination))
      return refuse(
        4013,
        'Please put quotation marks in front of a backslash. The name server automatically sets quotation marks at the beginning and end.',
      );
  }
  for (const { id, hostname, destination, deleterecord } of sent) {
    const name = hostname === '@' ? zone : `${hostname}.${zone}`;
    if (deleterecord === true) world.removeRecord(zone, Number(id));
    else world.addRecord(zone, { name, type: 'TXT', ttl: 86_400, value: destination });
  }
  return ok({ dnsrecords: list(world, zone) });
}

function ok(responsedata: object): Answer {
  return { status: 200, json: { status: 'success', statuscode: 2000, responsedata } };
}

function refuse(statuscode: number, longmessage: string): Answer {
  const shortmessage = statuscode < 5000 ? 'Validation Error.' : 'Error.';
  return {
    status: 200,
    json: { status: 'error', statuscode, shortmessage, longmessage, responsedata: '' },
  };
}
