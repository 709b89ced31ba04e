/**
 * `npm run bench -- dns`: a hundred orders of apex and wildcard at once in one Route 53 zone (an emulator with the limits of
 * AWS), and one such order by DNS UPDATE to BIND, beside lego in the same run. Ends with 1 when Route 53 was asked for more
 * than ten changes, or an order by BIND took longer than 0.3 s.
 */

import { openRun } from '../support/run-folder.ts';
import { byBind } from './dns/bind.ts';
import { byRoute53 } from './dns/route53.ts';

const say = (text: string) => process.stdout.write(`${text}\n`);

openRun();
const results = [await byRoute53(say), await byBind(say)];
process.exitCode = results.every(Boolean) ? 0 : 1;
