import { connect } from 'node:net';

/** Most time until a server that is there has answered, in ms; one that is away refuses at once. */
const DEADLINE_MS = 2_000;

/** Whether Redis answers there, as a new connection finds it. Knows nothing of the code under test. */
export async function redisAnswers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const timer = setTimeout(() => end(false), DEADLINE_MS);
    const end = (answers: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answers);
    };
    socket.on('connect', () => socket.write('PING\r\n'));
    socket.on('data', (text) => end(text.toString().startsWith('+PONG')));
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
  });
}
