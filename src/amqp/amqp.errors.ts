import { errorMessage, HubError, type HubErrorCode, type HubErrorOptions } from '../core/errors.js';

/** Reply codes of AMQP 0-9-1, see https://www.rabbitmq.com/amqp-0-9-1-reference#constants */
const REPLY_CODES: Record<number, HubErrorCode> = {
  // CONTENT_TOO_LARGE: over the broker's max_message_size.
  311: 'PAYLOAD_INVALID',
  // CONNECTION_FORCED: an operator closed it, or the broker shuts down.
  320: 'UNAVAILABLE',
  403: 'UNAUTHORIZED',
  404: 'NOT_FOUND',
  // RESOURCE_LOCKED: an exclusive queue of another connection.
  405: 'CONFLICT',
  // PRECONDITION_FAILED: it exists with other settings.
  406: 'CONFLICT',
  // RESOURCE_ERROR: out of something, for now.
  506: 'UNAVAILABLE',
  540: 'UNSUPPORTED',
  541: 'UNAVAILABLE',
};

/** Codes of Node for a certificate that is not trusted, or for another host. */
const CERTIFICATE = /^(CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|ERR_TLS_CERT|HOSTNAME_MISMATCH)/;
/** The broker did not take our certificate, or our version of TLS. */
const TLS_ALERT = /^ERR_SSL_\w*ALERT/;
/** The other side does not speak TLS, or none of ours. */
const NO_TLS = /^(EPROTO|ERR_SSL_|ERR_OSSL_)/;

/** All that amqplib tells of a 530 at the end of the handshake. */
const VHOST_REFUSED = /Expected ConnectionOpenOk; got <ConnectionClose/;

const BUGS = [TypeError, RangeError, ReferenceError, SyntaxError];

/** What can be read of any error of amqplib or Node. */
interface Fault {
  /** Reply code of AMQP, when the broker said it. */
  reply?: number;
  /** Code of Node. */
  code: string;
  text: string;
  /** Not of the broker or the network: the code that was called threw. */
  bug?: boolean;
}

/**
 * A HubError for what amqplib, the broker or the socket threw; a HubError is passed on as it is. By the broker's reply
 * code: 403 `UNAUTHORIZED`, 404 `NOT_FOUND`, 405 and 406 `CONFLICT` (the text keeps both sides), 311 `PAYLOAD_INVALID`,
 * 530 `UNAUTHORIZED` or `CONFIG_INVALID` (no such vhost), 540 `UNSUPPORTED`. A certificate that is not trusted or a wrong
 * protocol is `CONFIG_INVALID`; a fault of the program (`TypeError` and the like) is `INTERNAL`; sockets and closed channels are `UNAVAILABLE`.
 * @param what what was done, e.g. `the queue "jobs" was not created`
 */
export function amqpError(error: unknown, source: HubErrorOptions, what?: string): HubError {
  if (HubError.is(error)) return error;
  const fault = faultOf(error);
  const reply = fault.reply === undefined ? {} : { replyCode: fault.reply };
  const options = { ...source, cause: error, details: { ...source.details, ...reply } };
  return new HubError(codeOf(fault), `${what === undefined ? '' : `${what}: `}${fault.text}`, options);
}

/** What an error of amqplib, the broker or the socket says, with a hint of what to do about it. */
export function faultText(error: unknown): string {
  return faultOf(error).text;
}

function faultOf(error: unknown): Fault {
  // A host name with several addresses: Node tries them all and its own message is empty.
  if (error instanceof AggregateError && error.errors.length > 0) return faultOf(error.errors.at(-1));
  const message = errorMessage(error);
  if (BUGS.some((type) => error instanceof type)) return { code: '', text: message, bug: true };
  const given = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  const reply = typeof given === 'number' ? given : replyIn(message);
  const code = typeof given === 'string' ? given : '';
  const reason = code.startsWith('ERR_SSL') ? (error as { reason?: unknown }).reason : undefined;
  const text = textOf(message, code, typeof reason === 'string' ? reason : undefined);
  if (VHOST_REFUSED.test(message)) return { code: 'VHOST', text };
  return { ...(reply === undefined ? {} : { reply }), code, text };
}

/** `Handshake terminated by server: 403 (ACCESS-REFUSED) with message "…"`: the only place where the code is then. */
function replyIn(message: string): number | undefined {
  const found = /\b([345]\d\d) \([A-Z][A-Z_-]+\) with message/.exec(message);
  return found === null ? undefined : Number(found[1]);
}

function textOf(message: string, code: string, reason: string | undefined): string {
  if (VHOST_REFUSED.test(message)) {
    return 'the broker refused the vhost: there is none of that name, the user has no permission for it, or it is down or full';
  }
  // OpenSSL's own message has its file names in it.
  const text = reason ?? /with message "(.*)"/s.exec(message)?.[1] ?? message;
  if (CERTIFICATE.test(code)) return `${text}. Give the authority that signed it as tls.ca.`;
  if (TLS_ALERT.test(code)) return `the broker refused the TLS handshake (${text}). Look at tls.cert and tls.key.`;
  if (NO_TLS.test(code)) {
    return `the broker does not speak TLS there (${text}). Use its TLS port, or amqp:// without TLS.`;
  }
  if (/exceeds maxFrameSize|Invalid frame/.test(message)) return 'what answers there does not speak AMQP';
  if (/Socket closed abruptly/.test(message)) {
    return 'the broker closed the connection before it was open. Is this a port for AMQP, and without TLS?';
  }
  return text;
}

function codeOf({ reply, code, text, bug }: Fault): HubErrorCode {
  if (bug === true) return 'INTERNAL';
  if (reply === 530) return vhostCode(text);
  if (reply === 406 && /larger than/.test(text)) return 'PAYLOAD_INVALID';
  if (reply !== undefined) return REPLY_CODES[reply] ?? (reply < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL');
  if (code === 'VHOST' || CERTIFICATE.test(code) || NO_TLS.test(code)) return 'CONFIG_INVALID';
  return 'UNAVAILABLE';
}

/** NOT_ALLOWED: no such vhost, no right to it, or one that has all the connections it may. */
function vhostCode(text: string): HubErrorCode {
  if (/limit|is down/.test(text)) return 'UNAVAILABLE';
  return /not found/.test(text) ? 'CONFIG_INVALID' : 'UNAUTHORIZED';
}
