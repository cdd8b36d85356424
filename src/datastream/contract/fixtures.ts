import { eventually } from '../../core/contract.js';
import type { DataStreamPlugin } from '../datastream.plugin.js';
import type { OutgoingMessage } from '../datastream.types.js';

/** A door that is closed until `open` is called: for handlers that have to be caught at work. */
export interface Gate {
  opened: Promise<void>;
  open: () => void;
}

/** A closed {@link Gate}. */
export function gate(): Gate {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** `count` messages whose payloads are the numbers from `first` on. */
export function numbers(first: number, count: number): OutgoingMessage[] {
  return Array.from({ length: count }, (_, index) => ({ payload: first + index }));
}

/** Resolves when the queue "orders" holds nothing but `deadLetters` dead letters. */
export function workedOff(plugin: DataStreamPlugin, deadLetters = 0): Promise<void> {
  return eventually(async () => {
    const info = await plugin.queueInfo('orders');
    return info.ready + info.unacked + info.delayed === 0 && info.deadLetters === deadLetters;
  }, 'the queue is worked off');
}
