import { MAX_TIMER_MS } from '../../core/deadline.js';

/** A single timer for a point in time, however far away (a Node timer ends after 24.8 days). */
export class Alarm {
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly ring: () => void) {}

  /** Rings once at `time` (ms since 1970), instead of at the time set before. */
  set(time: number): void {
    this.clear();
    const wait = time - Date.now();
    this.#timer =
      wait > MAX_TIMER_MS
        ? setTimeout(() => this.set(time), MAX_TIMER_MS)
        : setTimeout(() => this.#fire(time), Math.max(0, wait));
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #fire(time: number): void {
    // Timers may fire a little early, and the clock may have been set back.
    if (Date.now() < time) this.set(time);
    else this.ring();
  }
}
