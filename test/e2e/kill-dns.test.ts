import { testEachBlow } from './kill-suite.ts';

testEachBlow('dns-01');
