import type { DriverDescriptor } from '../core/driver.js';
import * as datastream from '../datastream/drivers/index.js';
import * as mlops from '../mlops/drivers/index.js';
import * as taskqueue from '../taskqueue/drivers/index.js';

/** The descriptors of all drivers of the package, followed by those of the application. */
export function builtInDrivers(more: readonly DriverDescriptor[] = []): DriverDescriptor[] {
  return [mlops, datastream, taskqueue].flatMap((drivers) => Object.values<DriverDescriptor>(drivers)).concat(more);
}
