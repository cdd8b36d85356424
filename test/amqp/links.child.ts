// Child process of links.spec.ts: opens and closes links as it is told, then leaves the process to itself.
import { AmqpLink, AMQP_DEFAULTS, type AmqpOptions } from '../../src/amqp/index.js';
import { HubError } from '../../src/core/errors.js';
import { StoreLogger } from '../../src/embedded/store-logger.js';

/** Options of one link each, beside the defaults; it is opened `times` times. */
interface Order {
  options: Partial<AmqpOptions>;
  times: number;
}

for (const { options, times } of JSON.parse(process.argv[2] ?? '[]') as Order[]) {
  for (let round = 0; round < times; round += 1) {
    const link = new AmqpLink({ ...AMQP_DEFAULTS, ...options }, 'publish', new StoreLogger('child'), {});
    try {
      await link.open();
      if (round % 5 === 0) await link.channel();
      await link.close();
      console.log('OPENED');
    } catch (error) {
      // Not closed: a link that did not open has to leave nothing.
      console.log(HubError.is(error) ? error.code : String(error));
    }
  }
}
