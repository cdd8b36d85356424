import { HubError } from '../../src/core/errors.js';
import type {
  Download,
  JsonRequest,
  MLflowRequest,
  MLflowTransport,
  UploadRequest,
} from '../../src/mlops/drivers/mlflow/client/mlflow.transport.types.js';

/** What happens to a request: it never arrives, or its answer is lost. The sender cannot tell which. */
export type Loss = 'request' | 'answer';

/** A connection to a real server on which requests can get lost. */
export class LosingTransport implements MLflowTransport {
  /** Paths of the requests that were sent, those that never arrived too. */
  readonly sent: string[] = [];
  #losses: { path: string; losses: Loss[] } | undefined;

  constructor(private readonly inner: MLflowTransport) {}

  /** The next requests whose path ends so meet these losses, one each. */
  lose(path: string, ...losses: Loss[]): void {
    this.#losses = { path, losses };
  }

  async json<T extends object>(request: JsonRequest): Promise<T> {
    this.sent.push(request.path);
    const loss = this.#losses !== undefined && request.path.endsWith(this.#losses.path) && this.#losses.losses.shift();
    if (loss === 'answer') await this.inner.json(request);
    if (loss) throw new HubError('UNAVAILABLE', 'the connection broke', { details: { maybeDone: true } });
    return this.inner.json<T>(request);
  }

  text(request: MLflowRequest): Promise<string> {
    return this.inner.text(request);
  }

  upload(request: UploadRequest): Promise<Readonly<Record<string, string>>> {
    return this.inner.upload(request);
  }

  download(request: MLflowRequest): Promise<Download> {
    return this.inner.download(request);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}
