// The long form of the Celery chaos tests: 10 000 tasks through all faults, with each kind of broker, as often as the first
// argument says (default 1). HUB_TEST_SEED repeats a run, the variables of chaos-size.ts set the sizes.
import { soakSuites } from '../../support/soak-suites.mjs';

const suites = ['chaos-controls', 'chaos-rabbitmq', 'chaos-redis'].map((name) => `test/celery/chaos/${name}.spec.ts`);
await soakSuites(suites, { HUB_CHAOS_TASKS: '10000', HUB_CHAOS_ROUNDS: '1' }, Number(process.argv[2] ?? 1));
