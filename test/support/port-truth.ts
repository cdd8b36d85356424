import { connect } from 'node:net';

/** Most time until a server that is there has answered, in ms; one that is away refuses at once. */
const DEADLINE_MS = 2_000;

/** What servers are asked, and how the answer of one that works begins. */
const QUESTIONS = {
  redis: { ask: Buffer.from('PING\r\n'), answer: Buffer.from('+PONG') },
  // The first frame of a broker is a method on channel 0.
  rabbitmq: { ask: Buffer.from('AMQP\0\0\x09\x01', 'latin1'), answer: Buffer.from([1, 0, 0]) },
} as const;

/** Whether a server works there, as a new connection finds it. Knows nothing of the code under test. */
export async function serverAnswers(kind: keyof typeof QUESTIONS, port: number): Promise<boolean> {
  const { ask, answer } = QUESTIONS[kind];
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const timer = setTimeout(() => end(false), DEADLINE_MS);
    const end = (answers: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answers);
    };
    socket.on('connect', () => socket.write(ask));
    socket.on('data', (bytes) => end(bytes.subarray(0, answer.length).equals(answer)));
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
  });
}
