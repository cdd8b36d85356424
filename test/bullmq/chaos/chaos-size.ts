/** How large the chaos test is: `npm run test:soak:bullmq` sets the variables, the suites run with the defaults. */
export const CHAOS = {
  /** Least number of acknowledged tasks. */
  tasks: size('HUB_CHAOS_TASKS', 10_000),
  /** How often all faults happen. */
  rounds: size('HUB_CHAOS_ROUNDS', 1),
};

/** Name of the task. */
export const TASK = 'double';

/** Options of every plugin of the test: what is lost is noticed soon, and no number of losses makes a task a failure. */
export const CHAOS_OPTIONS = {
  lockDuration: 3_000,
  stalledInterval: 1_000,
  maxStalledCount: 50,
  commandTimeout: 2_000,
};

/** How long a fault lasts, in ms. */
export const FAULT_MS = 1_500;

/** How long a worker is frozen: its locks run out meanwhile. */
export const FREEZE_MS = CHAOS_OPTIONS.lockDuration + 2_500;

/** Longest time in ms from the end of a fault until a submit is acknowledged again, and until a task runs again. */
export const RETURN_MS = 10_000;

/** From one look at the health to the next, in ms: often enough for {@link FALSE_UP_MS}. */
export const LOOK_EVERY_MS = 100;

/** Longest time in ms that health may say up while Redis is away. */
export const FALSE_UP_MS = 1_500;

/** Longest time in ms that health may say down while Redis is there. */
export const FALSE_DOWN_MS = RETURN_MS;

function size(variable: string, normal: number): number {
  const given = Number(process.env[variable] ?? normal);
  if (!Number.isSafeInteger(given) || given < 1) throw new Error(`${variable} has to be a whole number from 1.`);
  return given;
}
