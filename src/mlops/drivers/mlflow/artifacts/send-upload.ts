import type { Readable } from 'node:stream';
import { throwIfAborted } from '../../../../core/deadline.js';
import { HubError } from '../../../../core/errors.js';
import type { MLflowTransport } from '../client/mlflow.transport.types.js';
import { partSizeOf } from './multipart-upload.js';
import type { SendingRules } from './proxy-store.js';
import { UploadContent } from './upload-content.js';
import type { UploadSource } from './upload-source.js';

/** Streams up to this many bytes are held in memory, so that they can be sent again. */
const HELD = 1024 * 1024;

/** One file on its way to the server. */
export interface Upload {
  source: UploadSource;
  /** Address of the file on the server. */
  path: string;
  /** The same, not encoded, below the proxy. */
  segments: readonly string[];
  /** The reason why nothing can be stored there, if there is one. */
  inTheWay: () => Promise<HubError | undefined>;
  signal: AbortSignal | undefined;
}

/** The readings of the content of one upload. */
interface Readings {
  /** The first one. */
  content: UploadContent;
  /** Begins another one. */
  open: () => UploadContent;
  /** What one of them failed with. */
  failure: () => HubError | undefined;
}

/**
 * Sends a file in parts where that pays and the server offers it, otherwise by one PUT. Memory is bounded whatever the
 * length. The body is always chunked: when a connection is cut in the middle of a body that announced its length,
 * MLflow 2 under gunicorn keeps what it got as if it were the whole file.
 */
export async function sendUpload(transport: MLflowTransport, rules: SendingRules, upload: Upload): Promise<void> {
  const { source, signal } = upload;
  const { size } = source;
  const opened: UploadContent[] = [];
  const open = (): UploadContent => {
    const content = new UploadContent(source.open(), rules.idleTimeout, size, signal);
    opened.push(content);
    return content;
  };
  const failure = (): HubError | undefined => opened.find((content) => content.failure !== undefined)?.failure;
  try {
    const content = open();
    const inParts = rules.multipart.offered && (size === undefined || size >= rules.multipartThreshold);
    const first = await content.take(inParts ? partSizeOf(size, rules.partSize) : HELD);
    // Of unknown length and not at its end after a part: large enough.
    const large = size === undefined ? !content.ended : true;
    if (inParts && large && (await rules.multipart.upload(upload.segments, first, content, size, signal))) return;
    await sendWhole(transport, upload, first, { content, open, failure });
  } catch (error) {
    throwIfAborted(signal);
    throw failure() ?? error;
  } finally {
    for (const content of opened) content.destroy();
  }
}

async function sendWhole(
  transport: MLflowTransport,
  { source, path, inTheWay, signal }: Upload,
  first: Buffer,
  { content, open, failure }: Readings,
): Promise<void> {
  const held = content.ended;
  let used = false;
  const body = (): Readable => {
    if (!used || held) {
      used = true;
      return content.stream(first);
    }
    if (source.repeatable) return open().stream(Buffer.alloc(0));
    throw new HubError('UNAVAILABLE', 'the upload broke, and its content, a stream, cannot be read a second time.');
  };
  const request = { method: 'PUT', path, body, ...(signal === undefined ? {} : { signal }) } as const;
  try {
    await transport.upload({ ...request, attempts: 1 });
  } catch (error) {
    if (failure() !== undefined || HubError.is(error, 'ABORTED', 'UNAUTHORIZED', 'CLOSED')) throw error;
    // Before any repetition: the server answers 500 here, as if it were out of order, or just closes the connection.
    const conflict = mayHaveArrived(error) ? await inTheWay() : undefined;
    if (conflict !== undefined) throw conflict;
    const canRepeat = held || source.repeatable || !used;
    if (!canRepeat || !HubError.is(error, 'UNAVAILABLE', 'TIMEOUT')) throw error;
    await transport.upload({ ...request, repeatable: held || source.repeatable });
  }
}

function mayHaveArrived(error: unknown): boolean {
  return !HubError.is(error) || error.details['maybeDone'] === true || error.details['status'] !== undefined;
}
