const DEADLINE = 20_000;

/** A queue, as the management API shows it. Counts are up to a second old, and missing for the first moments. */
export interface RabbitQueue {
  name: string;
  vhost: string;
  type: string;
  arguments: Record<string, unknown>;
  messages?: number;
  messages_ready?: number;
  messages_unacknowledged?: number;
  consumers?: number;
}

/** The management API of a RabbitMQ node: a call takes some ms, where `rabbitmqctl` takes half a second. */
export class RabbitManagement {
  readonly #authorization: string;

  /**
   * @param url where it answers, e.g. `http://127.0.0.1:15672`
   * @param username of an administrator
   */
  constructor(
    private readonly url: string,
    username = 'guest',
    password = 'guest',
  ) {
    this.#authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }

  /** What is wrong with it, or `undefined` when it answers. */
  async probe(): Promise<string | undefined> {
    try {
      await this.call('GET', 'whoami');
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Creates a vhost, with every permission for `username`. */
  async createVhost(vhost: string, username = 'guest'): Promise<void> {
    await this.call('PUT', `vhosts/${encodeURIComponent(vhost)}`);
    const all = { configure: '.*', write: '.*', read: '.*' };
    await this.call('PUT', `permissions/${encodeURIComponent(vhost)}/${encodeURIComponent(username)}`, all);
  }

  /** Deletes a vhost with everything in it, and closes its connections; one that is missing is no error. */
  async deleteVhost(vhost: string): Promise<void> {
    await this.call('DELETE', `vhosts/${encodeURIComponent(vhost)}`, undefined, [404]);
  }

  /** Creates a user without permissions, or changes its password. */
  async createUser(username: string, password: string): Promise<void> {
    await this.call('PUT', `users/${encodeURIComponent(username)}`, { password, tags: '' });
  }

  /** Deletes a user; one that is missing is no error. */
  async deleteUser(username: string): Promise<void> {
    await this.call('DELETE', `users/${encodeURIComponent(username)}`, undefined, [404]);
  }

  /** Sets what a user may do in a vhost: patterns of names. */
  async setPermissions(
    vhost: string,
    username: string,
    permissions: { configure: string; write: string; read: string },
  ): Promise<void> {
    await this.call('PUT', `permissions/${encodeURIComponent(vhost)}/${encodeURIComponent(username)}`, permissions);
  }

  /** Closes all connections of a user from the server's side, as an operator does (CONNECTION_FORCED). */
  async closeConnectionsOf(username: string): Promise<void> {
    await this.call('DELETE', `connections/username/${encodeURIComponent(username)}`);
  }

  /** The queues of a vhost. */
  async queues(vhost = '/'): Promise<RabbitQueue[]> {
    return (await this.call('GET', `queues/${encodeURIComponent(vhost)}`)) as RabbitQueue[];
  }

  /** Deletes a queue with its messages; one that is missing is no error. */
  async deleteQueue(queue: string, vhost = '/'): Promise<void> {
    await this.call('DELETE', `queues/${encodeURIComponent(vhost)}/${encodeURIComponent(queue)}`, undefined, [404]);
  }

  /**
   * One call of the API; resolves to what it answers, `undefined` when that is nothing.
   * @param accepted statuses besides 2xx that are no error
   */
  async call(method: string, path: string, input?: object, accepted: readonly number[] = []): Promise<unknown> {
    const response = await fetch(`${this.url}/api/${path}`, {
      method,
      headers: { authorization: this.#authorization, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(DEADLINE),
      ...(input === undefined ? {} : { body: JSON.stringify(input) }),
    });
    const text = await response.text();
    if (!response.ok && !accepted.includes(response.status)) {
      throw new Error(`RabbitMQ's management API: ${method} ${path}: ${response.status} ${text}`);
    }
    return response.ok && text !== '' ? JSON.parse(text) : undefined;
  }
}
