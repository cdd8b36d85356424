/** How large the chaos tests are: `npm run test:soak:mlflow` sets the variables, the suites run with the defaults. */
export const CHAOS = {
  /** Points logged while the server is killed. */
  points: size('HUB_CHAOS_POINTS', 50_000),
  /** Kills of server and app together. */
  rounds: size('HUB_CHAOS_ROUNDS', 3),
  /** How long the proxy is unreliable, in ms. */
  weather: size('HUB_CHAOS_WEATHER', 10_000),
  /** Bytes of the artifact whose upload is measured. */
  bytes: size('HUB_CHAOS_BYTES', 200_000_000),
};

function size(variable: string, normal: number): number {
  const given = Number(process.env[variable] ?? normal);
  if (!Number.isSafeInteger(given) || given < 1) throw new Error(`${variable} has to be a whole number from 1.`);
  return given;
}
