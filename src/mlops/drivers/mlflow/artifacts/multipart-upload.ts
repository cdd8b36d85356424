import { HubError } from '../../../../core/errors.js';
import type { MLflowTransport } from '../client/mlflow.transport.types.js';
import { encodeSegments } from './artifact-names.js';
import { boundedWork } from './bounded-work.js';
import type { UploadContent } from './upload-content.js';

/** The most parts that S3 and Google Cloud Storage put together. */
const MOST_PARTS = 10_000;
/** Parts asked for when the length is not known: URLs for all of them are made at the start. 31 GiB by default. */
const PARTS_OF_UNKNOWN = 2_000;
/** Parts under way at the same time. Each is held in memory, so that it can be sent again. */
const CONCURRENCY = 2;
const MULTIPART = '/api/2.0/mlflow-artifacts/mpu';

/** A URL of the store for one part, as the server presigned it. */
interface PartCredential {
  url: string;
  part_number: number;
  headers?: Record<string, string>;
}

interface Part {
  part_number: number;
  etag: string;
  url: string;
}

/**
 * Bytes of the parts of a file: `partSize`, unless there would be more parts than stores take.
 * @param size bytes of the file; `undefined` when they are not known
 */
export function partSizeOf(size: number | undefined, partSize: number): number {
  return Math.max(partSize, Math.ceil((size ?? 0) / MOST_PARTS));
}

/** Uploads in parts that go straight to the store behind the server, by URLs that the server presigned. */
export class MultipartUploads {
  #offered: boolean;

  /** @param offered false when parts are never to be used */
  constructor(
    private readonly transport: MLflowTransport,
    offered: boolean,
  ) {
    this.#offered = offered;
  }

  /** Whether the server may offer it: true until it said no. */
  get offered(): boolean {
    return this.#offered;
  }

  /**
   * Uploads `first` and the rest of `content`. Resolves to false, with nothing taken from `content`, when the server's
   * store cannot do this; that is remembered.
   * @param first the first part, full unless it is the last
   */
  async upload(
    segments: readonly string[],
    first: Buffer,
    content: UploadContent,
    size: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const parts = size === undefined ? PARTS_OF_UNKNOWN : Math.max(1, Math.ceil(size / first.length));
    const file = { folder: encodeSegments(segments.slice(0, -1)), path: segments.at(-1) ?? '' };
    const created = await this.#create(file, parts, signal);
    if (created === undefined) return false;
    const { upload_id } = created;
    try {
      const uploaded = await this.#parts(created.credentials, first, content, signal);
      // Putting the same parts together again has no other effect, so a lost answer does no harm.
      await this.#call('complete', file, { upload_id, parts: uploaded }, signal);
      return true;
    } catch (error) {
      // Without the caller's signal, which may have fired: parts that are not given up cost storage for ever.
      await this.#call('abort', file, { upload_id }, undefined).catch(() => undefined);
      throw error;
    }
  }

  async #create(
    file: { folder: string; path: string },
    parts: number,
    signal: AbortSignal | undefined,
  ): Promise<{ upload_id: string; credentials: PartCredential[] } | undefined> {
    try {
      const body = { num_parts: parts };
      const answer = await this.#call<{ upload_id?: string; credentials?: PartCredential[] }>(
        'create',
        file,
        body,
        signal,
      );
      const credentials = [...(answer.credentials ?? [])].sort((a, b) => a.part_number - b.part_number);
      return { upload_id: answer.upload_id ?? '', credentials };
    } catch (error) {
      // 501 is MLflow's answer for stores without parts; servers before 2.9 do not know the path.
      const status = HubError.is(error) ? error.details['status'] : undefined;
      if (status !== 501 && status !== 404 && status !== 405) throw error;
      this.#offered = false;
      return undefined;
    }
  }

  async #parts(
    credentials: readonly PartCredential[],
    first: Buffer,
    content: UploadContent,
    signal: AbortSignal | undefined,
  ): Promise<Part[]> {
    const done: Part[] = [];
    await boundedWork(CONCURRENCY, signal, async (add) => {
      for (let index = 0, bytes = first; ; index += 1) {
        const credential = credentials[index];
        if (credential === undefined) throw tooLong(index * first.length);
        const part = bytes;
        await add(async (stop) => void done.push(await this.#part(credential, part, stop)));
        if (content.ended) break;
        bytes = await content.take(first.length);
      }
    });
    return done.sort((a, b) => a.part_number - b.part_number);
  }

  async #part({ url, part_number, headers = {} }: PartCredential, bytes: Buffer, signal: AbortSignal): Promise<Part> {
    const answer = await this.transport.upload({
      method: 'PUT',
      path: '/',
      foreignUrl: url,
      headers,
      body: () => bytes,
      contentLength: bytes.length,
      repeatable: true,
      signal,
    });
    return { part_number, etag: answer['etag'] ?? '', url };
  }

  async #call<T extends object>(
    step: 'create' | 'complete' | 'abort',
    file: { folder: string; path: string },
    body: object,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    return this.transport.json<T>({
      method: 'POST',
      path: `${MULTIPART}/${step}/${file.folder}`,
      body: { path: file.path, ...body },
      // A second beginning leaves an unused one behind, which the store sweeps.
      repeatable: true,
      ...(signal === undefined ? {} : { signal }),
    });
  }
}

function tooLong(bytes: number): HubError {
  return new HubError(
    'PAYLOAD_INVALID',
    `the content is longer than ${bytes} bytes, the most that is stored in parts when the length is not known: say it by ` +
      'contentLength.',
  );
}
