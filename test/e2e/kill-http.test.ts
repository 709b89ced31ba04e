import { testEachBlow } from './kill-suite.ts';

testEachBlow('http-01');
