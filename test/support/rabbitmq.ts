import { connect } from 'amqplib';
import { installPackages } from './debian-packages.js';
import { RabbitBroker } from './rabbit-broker.js';
import { RabbitManagement } from './rabbit-management.js';

/** Where the tests' own node listens. */
const address = 'amqp://guest:guest@127.0.0.1:56729';
// Odd, as ports to listen on: the system gives even ones to connections of clients first.
const managementPort = 56731;
const DEADLINE = 10_000;

/** What is wrong with the broker at `url`, or `undefined` when it lets us in. */
async function probe(url: string): Promise<string | undefined> {
  try {
    const connection = await connect(url, { timeout: DEADLINE });
    await connection.close();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Starts a node of its own in a temporary folder, with Debian's package; resolves to how to stop and remove it. */
async function start(signal: AbortSignal): Promise<() => Promise<void>> {
  if (!RabbitBroker.isInstalled) {
    if (process.getuid?.() !== 0) {
      throw new Error('there is no RabbitMQ. Install the package rabbitmq-server, or set HUB_TEST_RABBITMQ.');
    }
    await installPackages(['rabbitmq-server', 'openssl'], signal);
  }
  const broker = await RabbitBroker.create({ port: Number(new URL(address).port), managementPort });
  return async () => broker.remove();
}

/**
 * The management API beside the broker at `url`: the one that HUB_TEST_RABBITMQ_MANAGEMENT names, or at RabbitMQ's usual
 * port of that host, with the same user.
 */
function managementOf(url: string): RabbitManagement {
  const { hostname, host, username, password } = new URL(url);
  const usual = `http://${hostname}:${host === new URL(address).host ? managementPort : 15672}`;
  const named = process.env['HUB_TEST_RABBITMQ_MANAGEMENT'] || usual;
  const user = [username || 'guest', password || 'guest'].map((text) => decodeURIComponent(text)) as [string, string];
  return new RabbitManagement(named, ...user);
}

/** The RabbitMQ node of the tests. */
export const rabbitmq = { address, probe, start, managementOf };
