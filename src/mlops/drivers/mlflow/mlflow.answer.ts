/** What errors of this driver say about where they come from. */
export const MLFLOW_SOURCE = { plugin: 'mlops', driver: 'mlflow' } as const;

/** What `details` of an error of a request holds. */
export interface MLflowErrorDetails {
  /** The HTTP status; none when no answer came. */
  status?: number;
  /** MLflow's own `error_code`, e.g. `RESOURCE_DOES_NOT_EXIST`. */
  errorCode?: string;
  /** True when nobody knows whether the request took effect: it was sent, and no answer says that it was refused. */
  maybeDone?: boolean;
  /** True when the same request may succeed later. */
  transient?: boolean;
  /** True when the attempt ended at its time limit: the server may still be working on it. */
  timedOut?: boolean;
  /** When the server wants to be asked again, in ms from now. */
  retryAfter?: number;
}

/** An answer that is no success. */
export interface MLflowAnswer {
  status: number;
  method: string;
  /** Path of the request, without its query. */
  path: string;
  /** Address of the server, without credentials. */
  server: string;
  /** The body, or its beginning, as it came. */
  body: string;
  /** Removes secrets from what the server says. Default: it says none. */
  hide?: (text: string) => string;
  /** Where a redirect leads. */
  location?: string;
  /** The header Retry-After, in ms from now. */
  retryAfter?: number;
  /** Whether it comes from another server than MLflow, such as an object store. */
  foreign?: boolean;
}

/** Longest part of a server's words that a message repeats, in characters. */
const MAX_TEXT = 500;

/**
 * What an answer says, without secrets: MLflow's `error_code`, if it comes from MLflow's API, and its words on one short
 * line.
 */
export function answerText({ body, hide = asItIs }: Pick<MLflowAnswer, 'body' | 'hide'>): {
  errorCode?: string;
  text: string;
} {
  // Hidden in what the JSON means, where no escape covers a secret, and before anything is cut: half of one stays one.
  const { error_code: errorCode, message } = errorFields(body);
  if (typeof errorCode === 'string' && errorCode !== '') {
    return { errorCode: hide(errorCode), text: shorten(typeof message === 'string' ? withoutSql(hide(message)) : '') };
  }
  const text = hide(body);
  return { text: shorten(looksLikeHtml(body) ? withoutTags(text) : text) };
}

/** Whether a body is a page for people. */
export function looksLikeHtml(body: string): boolean {
  return /^\s*(<!--[^]*?-->\s*)?<(!doctype\s+html|html|head|body)\b/i.test(body);
}

function errorFields(body: string): { error_code?: unknown; message?: unknown } {
  if (!body.trimStart().startsWith('{')) return {};
  try {
    return JSON.parse(body) as { error_code?: unknown; message?: unknown };
  } catch {
    return {};
  }
}

/** Without the statement and its values, which the SQL store appends. */
function withoutSql(message: string): string {
  return message.replace(/\n\[SQL:[^]*$/, '').replace(/\n\(Background on this error at:[^]*$/, '');
}

function withoutTags(html: string): string {
  return html.replaceAll(/<(script|style)\b[^]*?<\/\1>/gi, ' ').replaceAll(/<[^>]*>/g, ' ');
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT)}…` : line;
}

function asItIs(text: string): string {
  return text;
}
