import { afterAll } from 'vitest';
import { watchSecrets } from '../../src/core/secret.ts';
import { registerSecret } from '../support/canaries.ts';
import '../support/record-children.ts';
import { recordErrors, writeErrors } from './errors.ts';

watchSecrets(registerSecret);
recordErrors();
afterAll(writeErrors);
