#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { version } from '../agent/version.ts';
import { certsAdd } from '../operations/certs-add.ts';
import type { AnyOperation } from '../operations/define.ts';
import { operations } from '../operations/index.ts';
import { sentence } from '../operations/words.ts';
import { inputOf, shapeOf } from './arguments.ts';
import { addCertificate } from './certs-add.ts';
import { downloadCertificate } from './certs-download.ts';
import { configPath } from './config-path.ts';
import { errorText, exitCodes, exitTable } from './exit.ts';
import { importCommand, otherClients } from './import.ts';
import { backup, check, restore } from './local.ts';
import { type Terminal, visible } from './print.ts';
import { ownOptions, type RunOptions, runOperation, waitable } from './run.ts';
import { start } from './start.ts';
import type { World } from './world.ts';

const nouns: Readonly<Record<string, string>> = {
  domains: 'Domains whose hosts are served',
  hosts: 'Names that are served',
  certs: 'Certificates that are held',
  account: 'The accounts at the CAs',
  dns: 'TXT records, and who writes them',
  providers: 'DNS vendors and servers that records can be written to',
  task: 'Work that goes on in the background',
};

/** Runs one command line (without program and script) and resolves with its exit code. */
export async function runCli(argv: readonly string[], { terminal, ...rest }: World): Promise<number> {
  const world: World = { ...rest, terminal: { ...terminal, out: (text) => terminal.out(visible(text)) } };
  let code: number = exitCodes.ok;
  const program = createProgram(world, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    world.terminal.err(errorText(error));
    return exitCodes.failed;
  }
}

type Done = (code: number) => void;

function createProgram(world: World, done: Done): Command {
  const program = new Command('acme-agent')
    .description('Keeps a valid certificate for every host that a platform serves.')
    .version(version)
    .option(
      '--config <file>',
      'configuration file (default: ./acme-agent.yaml, /etc/acme-agent/acme-agent.yaml)',
    )
    .option('--json', 'answer as JSON, with times in ISO 8601')
    .option('-q, --quiet', 'only ids or names, one a line')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => world.terminal.out(text),
      writeErr: (text) => world.terminal.err(text),
      outputError: (text) => world.terminal.err(usageError(text)),
    })
    .exitOverride()
    .addHelpText(
      'after',
      `\nExit codes:\n${exitTable.map(([code, text]) => `  ${code}  ${text}\n`).join('')}`,
    );
  addLocalCommands(program, world, done);
  // What needs files or writes them is done here, past the queue.
  const forPeople = operations.filter((one) => one !== certsAdd && one.isForPrograms !== true);
  for (const operation of forPeople) addOperation(program, operation, { world, done });
  addCertificateCommands(nounOf(program, 'certs'), world, done);
  return program;
}

function addLocalCommands(program: Command, world: World, done: Done): void {
  program
    .command('start')
    .description('Runs the agent until it is told to stop.')
    .option('--roles <list>', 'only these: scheduler, worker, edge; several with commas', splitRoles)
    .option('--accept-empty-store', 'go on with an empty store in place of the one that was lost')
    .action(async (_, command: Command) => done(await start(command.optsWithGlobals(), world)));
  program
    .command('check')
    .description('Checks the configuration and everything it names.')
    .action(async (_, command: Command) => done(await check(command.optsWithGlobals(), world)));
  program
    .command('backup <file>')
    .description('Writes all state into one encrypted file.')
    .action(async (file: string, _, command: Command) =>
      done(await backup(file, command.optsWithGlobals(), world)),
    );
  program
    .command('restore <file>')
    .description('Puts the state of a backup into the store.')
    .option('--force', 'even if the store is not empty')
    .action(async (file: string, _, command: Command) =>
      done(await restore(file, command.optsWithGlobals(), world)),
    );
  program
    .command('import <folder>')
    .description('Takes over the accounts and certificates of another ACME client; orders nothing.')
    .addOption(
      new Option('--from <client>', 'whose folder it is').choices(otherClients).makeOptionMandatory(),
    )
    .option('--issuer <name>', 'only what is of this issuer; what names no CA counts as of it')
    .option('--dry-run', 'only tell what would be done')
    .action(async (folder: string, _, command: Command) =>
      done(await importCommand(folder, command.optsWithGlobals(), world)),
    );
}

function addCertificateCommands(certs: Command, world: World, done: Done): void {
  certs
    .command('add <file>')
    .description(certsAdd.summary)
    .option('--key <file>', 'its private key, where the first file does not hold it')
    .option('--chain <file>', 'the certificates between it and the root, likewise')
    .option('--password-file <file>', 'holds the password of the key, or of the PKCS #12 file')
    .option('--domain <name>', 'domain that it is for, where its names lie under several')
    .option('--name <name>', 'the one name that it is for; else it is for all that it has')
    .option('--replace <id>', 'uploaded certificate that it succeeds')
    .option('--force', 'also if it covers less than the domain or its predecessor')
    .action(async (file: string, _, command: Command) =>
      done(await addCertificate(file, command.optsWithGlobals(), world)),
    );
  certs
    .command('download <id> <folder>')
    .description('Writes a certificate with its key into a folder; the trail of events tells of it.')
    .option('--generation <number>', 'not the present one', wholeNumber)
    .option('--force', 'over files that are there')
    .action(async (id: string, folder: string, _, command: Command) =>
      done(await downloadCertificate({ id, folder }, command.optsWithGlobals(), world)),
    );
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number.');
}

const knownRoles = ['scheduler', 'worker', 'edge'];

function splitRoles(text: string): readonly string[] {
  const roles = text.split(',').map((role) => role.trim());
  const stranger = roles.find((role) => !knownRoles.includes(role));
  if (stranger !== undefined)
    throw new InvalidArgumentError(`There is no role "${stranger}"; roles: ${knownRoles.join(', ')}`);
  return roles;
}

function addOperation(
  program: Command,
  operation: AnyOperation,
  { world, done }: { world: World; done: Done },
): void {
  const shape = shapeOf(operation);
  const parent = shape.noun === undefined ? program : nounOf(program, shape.noun);
  const command = parent.command(shape.verb).description(operation.summary);
  for (const { syntax, field } of shape.args) command.argument(syntax, field.summary);
  for (const { syntax, summary } of shape.options) command.option(syntax, summary);
  for (const [syntax, summary] of ownOptions.get(operation.name) ?? []) command.option(syntax, summary);
  if (waitable.has(operation.name)) command.option('--wait', 'wait until it is done, with progress');
  command.action(async () => {
    const options: RunOptions & Record<string, unknown> = command.optsWithGlobals();
    const input = inputOf(shape, { args: command.processedArgs, options: command.opts() });
    done(await runOperation(operation, { input, options }, world));
  });
}

function nounOf(program: Command, noun: string): Command {
  const known = program.commands.find((command) => command.name() === noun);
  return known ?? program.command(noun).description(nouns[noun] ?? '');
}

/** Commander's own messages in the words and form of ours. */
function usageError(text: string): string {
  const message = text
    .replace(/^error: /, '')
    .trim()
    .replace(/\s*\n\s*/g, ' ');
  return `acme-agent: ${sentence(message)} See acme-agent --help.\n`;
}

/** Everything real, as for the program. */
export function realWorld(terminal = realTerminal()): World {
  return {
    terminal,
    load: async (option) => {
      const { loadConfig, readEnvironment } = await import('../config/load.ts');
      const { variables } = readEnvironment();
      return loadConfig(configPath(option, variables), variables);
    },
    agent: () => import('../agent.ts'),
    onSignal: (signal, run) => {
      process.on(signal, run);
      return () => process.off(signal, run);
    },
  };
}

function realTerminal(): Terminal {
  const { stdout, stderr } = process;
  // A reader that has seen enough (`| head`) is no fault.
  stdout.on('error', () => process.exit(exitCodes.ok));
  return {
    out: (text) => stdout.write(text),
    err: (text) => stderr.write(text),
    isInteractive: stderr.isTTY === true,
    // Some terminals do not know their width and say 0.
    columns: stderr.columns || 80,
  };
}

function isMain(): boolean {
  const script = process.argv[1];
  return script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url);
}

if (isMain()) {
  const code = await runCli(process.argv.slice(2), realWorld());
  // What was written goes out first; then nothing that is still open keeps the process.
  process.stdout.write('', () => process.exit(code));
}
