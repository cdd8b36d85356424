import { randomUUID } from 'node:crypto';
import { run } from './run-command.js';

const DEADLINE = 60_000;
/** The driver of PostgreSQL that MLflow uses here runs the statement, so that no other client is needed. */
const EXECUTE = `
import sys, psycopg2
connection = psycopg2.connect(sys.argv[1])
connection.autocommit = True
connection.cursor().execute(sys.argv[2])
`;

/** An empty database of its own on a PostgreSQL server. */
export class PostgresDatabase {
  private constructor(
    private readonly python: string,
    private readonly server: string,
    private readonly name: string,
  ) {}

  /**
   * Creates it.
   * @param python an interpreter with psycopg2
   * @param server URL of a database of the server, e.g. `postgresql://hub@127.0.0.1:54329/postgres`
   */
  static async create(python: string, server: string): Promise<PostgresDatabase> {
    const database = new PostgresDatabase(python, server, `hub_${randomUUID().replaceAll('-', '')}`);
    await database.#execute(`CREATE DATABASE ${database.name}`);
    return database;
  }

  /** As SQLAlchemy names it; without a driver it would ask for psycopg 3. */
  get sqlAlchemyUri(): string {
    // Not by setters: they do not change the scheme of a URL whose scheme the standard does not know.
    const { username, password, host, search } = new URL(this.server);
    const user = [username, password].filter((part) => part !== '').join(':');
    return `postgresql+psycopg2://${user === '' ? '' : `${user}@`}${host}/${this.name}${search}`;
  }

  /** Removes it with the connections that are left. */
  async drop(): Promise<void> {
    await this.#execute(`DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`);
  }

  async #execute(statement: string): Promise<void> {
    await run(this.python, ['-c', EXECUTE, this.server, statement], { timeout: DEADLINE });
  }
}
