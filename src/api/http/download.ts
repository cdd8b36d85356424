import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { PassThrough, pipeline, type Readable } from 'node:stream';
import { StreamableFile } from '@nestjs/common';

/**
 * A download that is streamed and is never taken for HTML: an attachment of unknown type. It waits for the first bytes, so
 * that a source that fails at once is still answered with a problem; one that fails later breaks the connection, because
 * an answer that ends well would pass for the whole file.
 * @internal
 */
export async function downloadOf(
  source: Readable,
  disposition: string,
  log: (error: Error) => void,
): Promise<StreamableFile> {
  const body = new PassThrough();
  const started = once(body, 'readable');
  pipeline(source, body, (error) => {
    // A client that leaves is no fault.
    if (error && (error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') log(error);
  });
  await started;
  const file = new StreamableFile(body, { type: 'application/octet-stream', disposition });
  file.setErrorHandler((_error, response) => {
    (response as unknown as ServerResponse).destroy();
  });
  file.setErrorLogger(() => undefined);
  return file;
}
