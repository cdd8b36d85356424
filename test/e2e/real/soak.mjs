// The long form of the tests on the real stack: the hub killed 20 times at random moments, and two replicas under load for
// five minutes. HUB_TEST_SEED repeats the moments; HUB_CHAOS_KILLS and HUB_REPLICA_SECONDS set the sizes.
import { soakSuites } from '../../support/soak-suites.mjs';

const suites = ['real-stack', 'kills', 'replicas'].map((name) => `test/e2e/real/${name}.spec.ts`);
await soakSuites(suites, { HUB_CHAOS_KILLS: '20', HUB_REPLICA_SECONDS: '300' });
