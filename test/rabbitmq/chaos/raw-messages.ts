import { connect, type GetMessage } from 'amqplib';

/** The oldest messages of a queue, at most `count`, as the broker has them. They stay there, marked as redelivered. */
export async function rawMessages(url: string, queue: string, count: number): Promise<GetMessage[]> {
  const connection = await connect(url);
  try {
    const channel = await connection.createChannel();
    const messages: GetMessage[] = [];
    while (messages.length < count) {
      const message = await channel.get(queue);
      if (message === false) break;
      messages.push(message);
    }
    return messages;
  } finally {
    await connection.close();
  }
}
