import { connect } from 'node:net';
import { type Answer, decode, streamEncode } from 'dns-packet';

/** All records of a zone (RFC 5936) from a server on loopback, one a line, sorted; the SOA comes once. */
export function transferZone(zone: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const records: Answer[] = [];
    let rest = Buffer.alloc(0);
    const socket = connect({ port, host: '127.0.0.1' });
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no zone transfer of ${zone} in 10 s`)));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`the server ended the transfer of ${zone} early`)));
    socket.once('connect', () => {
      socket.write(
        streamEncode({ type: 'query', id: 1, questions: [{ type: 'AXFR', name: zone, class: 'IN' }] }),
      );
    });
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const end = 2 + rest.readUInt16BE(0);
        const message = decode(rest.subarray(2, end));
        rest = rest.subarray(end);
        records.push(...(message.answers ?? []));
        const refused = records.length === 0;
        // The SOA opens and closes a transfer.
        if (!refused && records.filter(({ type }) => type === 'SOA').length < 2) continue;
        socket.destroy();
        if (refused) reject(new Error(`the server refused the transfer of ${zone}`));
        else resolve(records.slice(0, -1).map(line).sort().join('\n'));
        return;
      }
    });
  });
}

function line(record: Answer): string {
  const data = 'data' in record ? record.data : undefined;
  const text =
    record.type === 'TXT' && Array.isArray(data)
      ? data.map((part) => `"${part}"`).join(' ')
      : typeof data === 'object'
        ? JSON.stringify(data)
        : String(data);
  return `${record.name} ${'ttl' in record ? record.ttl : 0} ${record.type} ${text}`;
}
