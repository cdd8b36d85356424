import { Joi } from 'nestjs-experiment-hub';

/** The `config` block of the driver. */
export interface MemoryOptions {
  /** Most bytes of one payload. Default 65 536. */
  maxPayloadBytes: number;
}

/** Joi schema of {@link MemoryOptions}; the descriptions go into the JSON schema for editors. */
export const memorySchema = Joi.object<MemoryOptions>({
  maxPayloadBytes: Joi.number().integer().min(1).default(65_536).description('Most bytes of one payload.'),
});
