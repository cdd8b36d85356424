// Declares a published suite on Node's own test runner; run with `node --test` by node-test.spec.ts.
import { afterEach, beforeEach, describe, it } from 'node:test';
import { datastreamSuite } from './suites.js';

const mutant = datastreamSuite.mutants.find(({ name }) => name === process.env['HUB_TEST_MUTANT']);

datastreamSuite.register({ describe, it, beforeEach, afterEach }, datastreamSuite.subject(mutant));
