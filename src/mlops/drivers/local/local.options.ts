import { isAbsolute } from 'node:path';
import Joi from 'joi';
import { embeddedStoreKeys, type EmbeddedStoreOptions } from '../../../embedded/store.options.js';

/** Options of the driver `mlops/local`. */
export interface LocalMLOpsOptions extends EmbeddedStoreOptions {
  /** Absolute folders, beside the one in `dataDir`, in which artifacts may be read and written. Default none. */
  artifactRoots: string[];
}

/** Schema of {@link LocalMLOpsOptions}. */
export const localMLOpsSchema = Joi.object<LocalMLOpsOptions>({
  ...embeddedStoreKeys,
  artifactRoots: Joi.array()
    .items(
      Joi.string().custom(
        (value: string, helpers) =>
          isAbsolute(value) ? value : helpers.message({ custom: 'has to be an absolute path' }),
        'absolute',
      ),
    )
    .default([])
    .description('Absolute folders, beside the one in dataDir, in which artifacts may be read and written.'),
});
