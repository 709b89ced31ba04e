import { exact } from '../operations/words.ts';
import { type ExitCode, exitCodes } from './exit.ts';
import { json } from './print.ts';
import { reported } from './run.ts';
import type { GlobalOptions, World } from './world.ts';

export interface CertsDownload extends GlobalOptions {
  readonly generation?: number | undefined;
  readonly force?: boolean | undefined;
}

/** `certs download ID FOLDER`. */
export async function downloadCertificate(
  { id, folder }: { readonly id: string; readonly folder: string },
  options: CertsDownload,
  world: World,
): Promise<ExitCode> {
  const { generation, force = false } = options;
  return reported(
    world,
    async (loaded) => {
      const { downloadFromAgent } = await world.agent();
      const { certificate, files } = await downloadFromAgent(loaded, { id, generation, folder, force });
      const { lineage, serial, notAfter } = certificate;
      const text = `wrote ${lineage} (serial ${serial}, valid until ${exact(notAfter)}) with its key into ${folder}\n`;
      if (options.json === true) world.terminal.out(json({ certificate, files }));
      else world.terminal.out(options.quiet === true ? files.map((file) => `${file}\n`).join('') : text);
      return exitCodes.ok;
    },
    options,
  );
}
