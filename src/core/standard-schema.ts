/**
 * A schema of any library that implements Standard Schema (https://standardschema.dev): Zod, Valibot, ArkType, Joi from
 * 18 and others. The interface is the specification's own, copied as it allows, so that the types need no package.
 */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  /** The specification's properties. */
  readonly '~standard': StandardSchemaProps<Input, Output>;
}

/** What stands under `~standard` of a {@link StandardSchemaV1}. */
export interface StandardSchemaProps<Input = unknown, Output = Input> {
  readonly version: 1;
  /** Name of the library. */
  readonly vendor: string;
  /** Checks a value and may transform it. */
  readonly validate: (value: unknown) => StandardSchemaResult<Output> | Promise<StandardSchemaResult<Output>>;
  /** Only for type inference. */
  readonly types?: { readonly input: Input; readonly output: Output } | undefined;
}

/** What `validate` answers: a value, or the issues that it found. */
export type StandardSchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly StandardSchemaIssue[] };

/** One fault of a value. */
export interface StandardSchemaIssue {
  readonly message: string;
  /** Where the fault is; missing when it is the value as a whole. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}
