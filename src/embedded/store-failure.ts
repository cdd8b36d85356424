import { errorMessage, HubError, type HubErrorOptions } from '../core/errors.js';

/**
 * What a call of an embedded store rejects with: a HubError as it is, and what SQLite throws as `UNAVAILABLE`.
 * @param source plugin, driver and operation for the error
 */
export function storeFailure(error: unknown, source: HubErrorOptions): HubError {
  if (HubError.is(error)) return error;
  return new HubError('UNAVAILABLE', `the store could not do it: ${errorMessage(error)}`, { ...source, cause: error });
}
