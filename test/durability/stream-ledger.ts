import type { DeadLetter, Delivery } from '../../src/datastream/index.js';
import type { LocalDataStreamOptions } from '../../src/datastream/drivers/local/local.options.js';
import type { LedgerLine } from './ledger.js';

/** Options of the datastream under kills. The limit is out of reach: it has a test of its own. */
export function streamOptions(dataDir: string): LocalDataStreamOptions {
  const queues = [{ name: 'work', deliveryLimit: 1_000 }];
  return { dataDir, durability: 'process', maxPayloadBytes: 1_048_576, queues };
}

/** Where a message is; `queue-3` is one that has been delivered three times. */
type Place = 'gone' | 'dead' | `queue-${number}`;

interface Known {
  place: Place;
  /** Where it is if the call that had begun, and was not acknowledged when the process died, took effect. */
  or?: Place;
}

/** What was found where it may not be, and how much was checked. */
export interface StreamFindings {
  faults: string[];
  messages: number;
  /** Messages that the killed process had in hand and that came again. */
  redelivered: number;
  dead: number;
}

/** What is known of every message by what its senders and consumers were told. */
export class StreamLedger {
  readonly #known = new Map<string, Known>();
  /** Deliveries that were perhaps made to a consumer that did not live to report them. */
  #doubtfulPulls = 0;
  /** Messages that the killed process had pulled and not settled. */
  readonly #inHand = new Set<string>();
  readonly #faults: string[] = [];
  acknowledged = 0;

  /** Takes in what a killed process reported. */
  add(lines: readonly LedgerLine[]): void {
    for (const [event, id = '', attempt = 0] of lines) this.#apply(event, String(id), Number(attempt));
    this.#doubtfulPulls = lines.at(-1)?.[0] === 'pulling' ? 1 : 0;
  }

  /** Compares with what there is after the restart, and takes it as the new truth. */
  check(found: readonly Delivery[], dead: readonly DeadLetter[]): StreamFindings {
    const actual = new Map<string, Place>();
    const place = (id: string, where: Place) => {
      if (actual.has(id)) this.#faults.push(`${id} is there twice`);
      actual.set(id, where);
    };
    for (const { messageId, attempt, redelivered } of found) {
      place(messageId, `queue-${attempt - 1}`);
      if (redelivered !== attempt > 1)
        this.#faults.push(`${messageId}: redelivered ${redelivered}, attempt ${attempt}`);
    }
    for (const { messageId, reason, detail } of dead) {
      place(messageId, 'dead');
      if (reason !== 'rejected' || detail !== 'not this one') this.#faults.push(`${messageId}: ${reason} (${detail})`);
    }
    for (const id of actual.keys()) if (!this.#known.has(id)) this.#faults.push(`${id} was never sent`);
    for (const [id, known] of this.#known) this.#compare(id, known, actual.get(id) ?? 'gone');
    for (const { messageId, attempt } of found) this.#known.set(messageId, { place: `queue-${attempt}` });
    const redelivered = found.filter(({ messageId }) => this.#inHand.has(messageId)).length;
    this.#inHand.clear();
    return { faults: this.#faults, messages: this.#known.size, redelivered, dead: dead.length };
  }

  #apply(event: string, id: string, attempt: number): void {
    const known = this.#known.get(id);
    switch (event) {
      case 'sending':
        this.#known.set(id, { place: 'gone', or: 'queue-0' });
        break;
      case 'sent':
        this.acknowledged += 1;
        this.#known.set(id, { place: 'queue-0' });
        break;
      case 'pulled':
        this.acknowledged += 1;
        if (known?.place !== `queue-${attempt - 1}`)
          this.#faults.push(`${id} pulled as ${attempt}, was ${known?.place}`);
        this.#known.set(id, { place: `queue-${attempt}` });
        this.#inHand.add(id);
        break;
      case 'requeued':
        this.acknowledged += 1;
        this.#inHand.delete(id);
        break;
      case 'acking':
      case 'rejecting':
        if (known !== undefined) known.or = event === 'acking' ? 'gone' : 'dead';
        break;
      case 'acked':
      case 'rejected':
        this.acknowledged += 1;
        this.#known.set(id, { place: event === 'acked' ? 'gone' : 'dead' });
        this.#inHand.delete(id);
    }
  }

  #compare(id: string, known: Known, actual: Place): void {
    const { place, or } = known;
    if (actual === place || actual === or) {
      this.#known.set(id, { place: actual });
      return;
    }
    if (this.#doubtfulPulls > 0 && place.startsWith('queue-') && actual === `queue-${Number(place.slice(6)) + 1}`) {
      this.#doubtfulPulls -= 1;
      return;
    }
    this.#faults.push(`${id} is ${actual}, but ${place}${or === undefined ? '' : ` or ${or}`} was expected`);
  }
}
