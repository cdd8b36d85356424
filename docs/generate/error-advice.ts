import type { HubErrorCode } from '../../src/core/errors.js';

/** What to do about each error code; a new code does not compile without its line. */
export const ERROR_ADVICE: Record<HubErrorCode, string> = {
  CONFIG_INVALID: 'Mend the places that `details.issues` names (`path`, `line`, `message`, `suggestion`).',
  DRIVER_UNKNOWN: 'Correct `type`, or pass your driver as `drivers: [mine]`. `details.known` lists those that exist.',
  DRIVER_INVALID: 'A fault of the driver: see its message, and [writing a driver](writing-a-driver.md).',
  PEER_MISSING: 'Run the install command in the message.',
  PLUGIN_DISABLED: 'Set `plugins.<type>.enabled` to true, or do not call the plugin.',
  NOT_FOUND: 'Create it first, or check its name or id.',
  ALREADY_EXISTS: 'Use the existing one, or choose another name.',
  CONFLICT: 'Read the state of the thing and decide; repeating the same call gives the same answer.',
  CLOSED: 'Call after `onModuleInit` of the hub and before its shutdown; check for a missing `await`.',
  TIMEOUT: 'Try again or raise the deadline. Whether the call took effect is unknown unless the method says so.',
  ABORTED: 'Nothing: the caller asked for it.',
  UNAVAILABLE:
    'Try again later. `/health` and `hub.plugins()` say what is wrong; an optional plugin comes back by itself.',
  UNSUPPORTED: 'Pick a driver that can ([drivers](drivers.md)), or look at `plugin.supports` before the call.',
  INVALID_ARGUMENT: 'Mend the call: the message names the argument and what is expected.',
  PAYLOAD_INVALID:
    'Send plain JSON (or bytes, where a stream takes them) below the limit; large data belongs in an artifact.',
  UNAUTHORIZED: 'Correct the credentials in the configuration.',
  DELIVERY_LOST: 'Nothing: the message is delivered again. Make the handler ready for duplicates by `messageId`.',
  RESULT_EXPIRED: 'Read results in time, or keep them longer by the option of the driver.',
  STORE_LOCKED: 'Stop the other process (`details.pid`), use another `dataDir`, or a driver for several processes.',
  TASK_FAILED: 'Read `details` (`type`, `message`, `stack`): it is the error of the task itself.',
  TASK_REVOKED: 'Nothing: the task was cancelled, or did not start before it expired.',
  INTERNAL: 'Report it with message, `cause` and stack.',
};
