/** How large the chaos tests are: `npm run test:soak:rabbitmq` sets the variables, the suites run with the defaults. */
export const CHAOS = {
  /** Least number of confirmed messages of each load. */
  messages: size('HUB_CHAOS_MESSAGES', 20_000),
  /** Kills of consuming processes. */
  kills: size('HUB_CHAOS_KILLS', 4),
  /** Connections that the broker closes, queues that are deleted. */
  rounds: size('HUB_CHAOS_ROUNDS', 3),
};

/** Longest time in ms from the broker's return until messages are consumed again. */
export const RETURN_MS = 5_000;

/** Interval of heartbeats in the chaos tests, in ms. */
export const HEARTBEAT_MS = 1_000;

function size(variable: string, normal: number): number {
  const given = Number(process.env[variable] ?? normal);
  if (!Number.isSafeInteger(given) || given < 1) throw new Error(`${variable} has to be a whole number from 1.`);
  return given;
}
