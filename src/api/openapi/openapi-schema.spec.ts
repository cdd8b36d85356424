import Joi from 'joi';
import { describe, expect, it } from 'vitest';
import { openApiSchema } from './openapi-schema.js';

describe('openApiSchema', () => {
  it('says null by nullable, also of lists of values and of objects', () => {
    expect(openApiSchema(Joi.string().allow(null))).toEqual({ type: 'string', minLength: 1, nullable: true });
    expect(openApiSchema(Joi.string().valid('a', 'b').allow(null))).toMatchObject({
      enum: ['a', 'b', null],
      nullable: true,
    });
    expect(openApiSchema(Joi.object({}).allow(null))).toMatchObject({ type: 'object', nullable: true });
    expect(openApiSchema(Joi.alternatives(Joi.string(), Joi.number()).allow(null))['anyOf']).toEqual([
      { type: 'string', minLength: 1, nullable: true },
      { type: 'number', nullable: true },
    ]);
  });

  it('says maps by additionalProperties and forbids unknown keys', () => {
    expect(openApiSchema(Joi.object().pattern(Joi.string(), Joi.number()))).toEqual({
      type: 'object',
      additionalProperties: { type: 'number' },
    });
    expect(openApiSchema(Joi.object({ a: Joi.number().required() }))).toMatchObject({
      required: ['a'],
      additionalProperties: false,
    });
    expect(openApiSchema(Joi.object().unknown(true))).not.toHaveProperty('additionalProperties');
  });

  it('gives every list its items, and nested schemas the same treatment', () => {
    expect(openApiSchema(Joi.array())).toEqual({ type: 'array', items: {} });
    const nested = Joi.object({ list: Joi.array().items(Joi.object({ a: Joi.string().allow(null) })) });
    expect(openApiSchema(nested).properties?.['list']?.items?.properties?.['a']).toMatchObject({ nullable: true });
  });

  it('tells what 3.0 cannot say', () => {
    expect(() => openApiSchema(Joi.any().valid(1, 'a'))).toThrow('several types');
  });
});
