import type { Schema } from 'joi';

/** A schema object of OpenAPI 3.0, as far as the API's schemas need it. @internal */
export interface OpenApiSchema {
  type?: string;
  properties?: Record<string, OpenApiSchema>;
  required?: string[];
  items?: OpenApiSchema;
  anyOf?: OpenApiSchema[];
  additionalProperties?: boolean | OpenApiSchema;
  nullable?: boolean;
  enum?: unknown[];
  description?: string;
  format?: string;
  [keyword: string]: unknown;
}

type Exported = { [keyword: string]: unknown };

/**
 * A Joi schema as OpenAPI 3.0 (https://spec.openapis.org/oas/v3.0.3.html#schema-object), from Joi's own JSON Schema
 * export (draft 2020-12). 3.0 is what most tools and `@nestjs/swagger`'s `DocumentBuilder` speak by default.
 * @param mode `input`: what is accepted. `output`: what is answered, where defaults are always there
 * @internal
 */
export function openApiSchema(schema: Schema, mode: 'input' | 'output' = 'input'): OpenApiSchema {
  return lower(schema['~standard'].jsonSchema[mode]({ target: 'draft-2020-12' }) as Exported);
}

function lower(schema: Exported): OpenApiSchema {
  const { type, anyOf, patternProperties, properties, items, additionalProperties, ...rest } = schema;
  const result: OpenApiSchema = { ...(rest as OpenApiSchema) };
  const types = Array.isArray(type) ? (type as string[]) : type === undefined ? [] : [type as string];
  const named = types.filter((name) => name !== 'null');
  let nullable = named.length < types.length;
  if (named.length === 1) result.type = String(named[0]);
  if (named.length > 1) throw new Error(`OpenAPI 3.0 has no schema of several types: ${named.join(', ')}`);
  if (Array.isArray(anyOf)) {
    const branches = (anyOf as Exported[]).filter((branch) => branch['type'] !== 'null');
    nullable ||= branches.length < anyOf.length;
    result.anyOf = branches.map(lower);
    if (nullable) result.anyOf = result.anyOf.map((branch) => ({ ...branch, nullable: true }));
  } else if (nullable) {
    result.nullable = true;
    if (result.enum !== undefined) result.enum = [...result.enum, null];
  }
  if (properties !== undefined) result.properties = mapValues(properties as Record<string, Exported>, lower);
  if (items !== undefined) result.items = lower(items as Exported);
  else if (result.type === 'array') result.items = {};
  if (patternProperties !== undefined) {
    // 3.0 knows maps with any key only.
    const [value = {}] = Object.values(patternProperties as Record<string, Exported>);
    result.additionalProperties = lower(value);
  } else if (additionalProperties !== undefined) {
    result.additionalProperties =
      typeof additionalProperties === 'object' && additionalProperties !== null
        ? lower(additionalProperties as Exported)
        : additionalProperties === true;
  }
  delete result['$defs'];
  return result;
}

function mapValues<In, Out>(record: Record<string, In>, map: (value: In) => Out): Record<string, Out> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
