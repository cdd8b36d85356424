import type { MessageFate } from './message-fate.js';

/** Where telemetry comes along with the options of a subscription. */
export const DELIVERY_OBSERVER = Symbol('delivery observer');

/** Is told what becomes of the deliveries of a subscription. */
export interface DeliveryObserver {
  /** Called for each delivery whose handler has ended, when it is about to be settled. */
  settled(fate: MessageFate): void;
}
