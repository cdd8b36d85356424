/** What the health of a buffer is judged by. */
export interface BufferStatus {
  /** Whether the last request found the server. */
  state: 'up' | 'away';
  /** Why it is away: code and message of the last failure. */
  reason?: string;
  /** Why the spool takes nothing at the moment: it is full, or its disk is. Left out while it does. */
  fault?: string;
  /** Metrics, params and tags in memory. */
  buffered: number;
  /** Writes on disk that wait for the server. */
  spooled: number;
  /** About how many bytes they and the rejected ones are: what counts against `maxBytes`. */
  spooledBytes: number;
  /** When the oldest of those that wait was spooled, in ms since 1970. */
  oldest: number | null;
  /** Acknowledged writes that the server refused later, kept aside until `forget()`. */
  rejected: number;
}
