import { proveMutants } from './prove-mutants.js';
import { datastreamSuite } from './suites.js';

proveMutants(datastreamSuite);
