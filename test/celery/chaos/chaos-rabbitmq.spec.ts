import { chaosRun } from './chaos-run.js';

chaosRun('rabbitmq');
