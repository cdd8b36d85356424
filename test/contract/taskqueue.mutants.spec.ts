import { proveMutants } from './prove-mutants.js';
import { taskqueueSuite } from './suites.js';

proveMutants(taskqueueSuite);
