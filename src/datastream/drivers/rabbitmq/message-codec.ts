/** Messages of the hub as messages of AMQP, and back. The format is described in the README beside this file. */
export { decodeDeadLetter, redriveOf } from './dead-letter-codec.js';
export { decodeMessage, type Failure, type RawMessage, type ReceivedMessage } from './message-decoder.js';
export { encodeMessage, type EncodedMessage } from './message-encoder.js';
export { republished, type Republication } from './republish.js';
