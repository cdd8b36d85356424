import { chaosRun } from './chaos-run.js';

chaosRun('redis');
