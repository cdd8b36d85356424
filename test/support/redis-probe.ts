import { connect } from 'node:net';

const DEADLINE = 5_000;

/** What is wrong with the Redis server at `url`, or `undefined` when it lets us in. Knows no TLS. */
export async function probeRedis(url: string): Promise<string | undefined> {
  const { hostname, port, username, password } = new URL(url);
  const login = ['AUTH', ...[username || 'default', password].map(decodeURIComponent)];
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port || 6379), timeout: DEADLINE });
    const end = (problem?: string): void => {
      socket.destroy();
      resolve(problem);
    };
    let answers = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      answers += text;
      const [line] = /^[+-](?!OK).*(?=\r\n)/m.exec(answers) ?? [];
      // An error starts with a minus, also while the server still loads its data.
      if (line !== undefined) end(line === '+PONG' ? undefined : line);
    });
    socket.on('connect', () => socket.write((password === '' ? '' : command(login)) + command(['PING'])));
    socket.on('timeout', () => end(`nothing answers at ${hostname}:${port}`));
    socket.on('error', (error) => end(error.message));
    socket.on('close', () => end(`${hostname}:${port} closed the connection`));
  });
}

/** A command as the protocol has it. */
function command(words: readonly string[]): string {
  return [`*${words.length}`, ...words.flatMap((word) => [`$${Buffer.byteLength(word)}`, word]), ''].join('\r\n');
}
