import { proveMutants } from './prove-mutants.js';
import { mlopsSuite } from './suites.js';

proveMutants(mlopsSuite);
