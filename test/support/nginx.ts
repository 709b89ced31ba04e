import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serverProgram } from './fetch/index.ts';
import { freePort } from './ports.ts';
import { accepts, startProcess } from './process.ts';

export interface TestNginx {
  readonly port: number;
  stop(): Promise<void>;
}

/** What makes the nginx of this folder read its certificates anew. */
export function nginxReload(folder: string): readonly string[] {
  return [serverProgram('nginx'), '-p', folder, '-c', join(folder, 'nginx.conf'), '-s', 'reload'];
}

/** An nginx that answers 200 over TLS, with the certificate in a folder of the `files` target. */
export async function startNginx(folder: string, certificate: string): Promise<TestNginx> {
  const port = await freePort();
  mkdirSync(join(folder, 'temporary'), { recursive: true });
  const config = join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  writeFileSync(
    config,
    `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr;
${process.geteuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 512; }
http {
  access_log off;
${temporary.map((name) => `  ${name}_temp_path ${folder}/temporary/${name};`).join('\n')}
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${certificate}/fullchain.pem;
    ssl_certificate_key ${certificate}/privkey.pem;
    location / { return 200; }
  }
}
`,
  );
  const server = await startProcess({
    name: 'nginx',
    command: [serverProgram('nginx'), '-p', folder, '-e', 'stderr', '-c', config],
    ready: () => accepts({ port }),
  });
  return { port, stop: async () => void (await server.stop()) };
}
