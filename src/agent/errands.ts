import type { Errand } from '../../jobs/upkeep.ts';
import { doctorErrand, goOnWithTrial, parseTrial } from '../core/dns-doctor.ts';
import type { AgentPorts } from './ports.ts';

/** What commands leave to the workers, in pieces that hold none of them up. */
export function createErrands(ports: AgentPorts): Readonly<Record<string, Errand>> {
  return { [doctorErrand]: (argument, signal) => goOnWithTrial(parseTrial(argument), ports, signal) };
}
