import { describe, expect, it } from 'vitest';
import { defineDriver, findDriver, type DriverDescriptor } from './driver.js';
import { HubError } from './errors.js';
import { Joi } from './index.js';

/** A schema as another version of Joi makes it: it carries Joi's mark with its own version. */
function foreign(schema: Joi.ObjectSchema): Joi.ObjectSchema {
  const mark = Symbol.for('@hapi/joi/schema');
  const own = (schema as unknown as Record<symbol, object>)[mark];
  return Object.create(schema, { [mark]: { value: { ...own, version: '0.0.1' } } }) as Joi.ObjectSchema;
}

const descriptor = (schema: Joi.ObjectSchema): DriverDescriptor => ({
  type: 'pump',
  name: 'steam',
  label: 'Steam',
  peers: [],
  schema,
  load: async () =>
    class {
      static register() {
        return { module: class {} };
      }
    },
});
const thrownBy = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};

describe('a driver’s schema', () => {
  it('is taken as the hub’s Joi makes it', () => {
    const own = descriptor(Joi.object());
    expect(defineDriver(own)).toBe(own);
    expect(findDriver('pump', 'steam', [own])).toBe(own);
  });

  it.each<[string, unknown]>([
    ['of another version of Joi', foreign(Joi.object())],
    ['of another library', { parse: () => ({}) }],
    ['missing', undefined],
  ])('is refused when it is %s', (_what, schema) => {
    const bad = descriptor(schema as Joi.ObjectSchema);
    for (const error of [thrownBy(() => defineDriver(bad)), thrownBy(() => findDriver('pump', 'steam', [bad]))]) {
      expect(HubError.is(error, 'INVALID_ARGUMENT')).toBe(true);
      expect(String(error)).toMatch(/schema of driver pump\/steam.*import Joi from nestjs-experiment-hub/);
    }
  });
});
