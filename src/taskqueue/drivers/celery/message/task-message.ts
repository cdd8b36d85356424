import { HubError, type HubErrorOptions } from '../../../../core/errors.js';
import type { JsonObject, JsonValue } from '../../../../core/json.js';
import type { NormalizedSubmission } from '../../../taskqueue.validation.js';
import { checkForKombu } from './kombu-json.js';
import { checkTaskHeaders } from './task-headers.js';
import { WIRE_TIMES, wireTime } from './wire-time.js';

/** A task as Celery's message protocol 2 has it, for any broker. https://docs.celeryq.dev/en/stable/internals/protocol.html */
export interface TaskMessage {
  readonly taskId: string;
  readonly headers: JsonObject;
  /** Whether the headers have the same names and kinds of values as those of other such tasks: no headers of the caller's. */
  readonly isPlain: boolean;
  /** JSON: positional arguments, named arguments, and what is called afterwards. */
  readonly body: string;
  /** 0 to 9, higher first, as the hub's users give it. */
  readonly priority: number;
  /** Queue for the results; empty where they are not sent to the caller. */
  readonly replyTo: string;
}

/** A signature on the wire: a task that a worker submits. */
export interface WireSignature {
  task: string;
  args: JsonValue[];
  kwargs: JsonObject;
  options: JsonObject;
  subtask_type: null;
  immutable: boolean;
}

/** What is called when a task has ended, by the worker that ran it. */
export interface TaskEmbed {
  callbacks?: WireSignature[];
  errbacks?: WireSignature[];
  /** The rest of a chain, the next one last. */
  chain?: WireSignature[];
}

/** What a message carries beside the submission. */
export interface TaskMessageExtras {
  embed?: TaskEmbed;
  /** ms: after it `SoftTimeLimitExceeded` is raised within the task. */
  softTimeLimit?: number;
  ignoreResult?: boolean;
  /** Of a group. */
  group?: { id: string; index: number };
}

/** What all messages of a plugin have in common. */
export interface TaskMessageStyle {
  /** Who sends it, for people. */
  origin: string;
  replyTo: string;
  timezone: string;
  showArguments: boolean;
}

const NO_EMBED = '{"callbacks":null,"errbacks":null,"chain":null,"chord":null}';
/** Most characters of arguments that are shown. */
const MAX_REPR = 1_024;

/**
 * The only place where task messages are made: one that is malformed ends the Python worker that takes it. Throws
 * `PAYLOAD_INVALID` and `INVALID_ARGUMENT` for what a worker could not take.
 * @param now ms since 1970, that of the submission's check
 */
export function taskMessage(
  task: NormalizedSubmission,
  extras: TaskMessageExtras,
  style: TaskMessageStyle,
  now: number,
  source: HubErrorOptions,
): TaskMessage {
  const { taskId, name, args, kwargs, due, expires, timeLimit, priority } = task;
  const what = `the arguments of task "${name}"`;
  checkForKombu(args, what, source);
  checkForKombu(kwargs, what, source);
  const headers: JsonObject = {
    lang: 'js',
    task: name,
    id: taskId,
    shadow: null,
    eta: due > now ? timeHeader('eta', due, style, source) : null,
    expires: expires === null ? null : timeHeader('expires', expires, style, source),
    group: extras.group?.id ?? null,
    group_index: extras.group?.index ?? null,
    // How many were used up already, not how many are left.
    retries: 0,
    // Hard, then soft; in seconds.
    timelimit: [seconds(timeLimit), seconds(extras.softTimeLimit ?? null)],
    // It is the first of what it belongs to; workers give their ids to what they submit.
    root_id: taskId,
    parent_id: null,
    argsrepr: style.showArguments ? beginning(args) : '(hidden)',
    kwargsrepr: style.showArguments ? beginning(kwargs) : '{hidden}',
    origin: style.origin,
    ignore_result: extras.ignoreResult === true,
    replaced_task_nesting: 0,
    stamped_headers: null,
    stamps: {},
  };
  const isPlain = task.headers === '{}' && timeLimit === null && extras.softTimeLimit === undefined;
  if (task.headers !== '{}') {
    checkForKombu(task.headers, `the headers of task "${name}"`, source);
    const own = JSON.parse(task.headers) as JsonObject;
    checkTaskHeaders(own, source);
    Object.assign(headers, own);
  }
  const embed = extras.embed === undefined ? NO_EMBED : embedText(extras.embed, what, source);
  return { taskId, headers, isPlain, body: `[${args},${kwargs},${embed}]`, priority, replyTo: style.replyTo };
}

function embedText({ callbacks, errbacks, chain }: TaskEmbed, what: string, source: HubErrorOptions): string {
  const text = JSON.stringify({
    callbacks: callbacks ?? null,
    errbacks: errbacks ?? null,
    chain: chain ?? null,
    chord: null,
  });
  checkForKombu(text, what, source);
  return text;
}

/** Not half of a surrogate pair, which is no text to Python. */
function beginning(text: string): string {
  return text.slice(0, MAX_REPR).replace(/[\uD800-\uDBFF]$/, '');
}

function timeHeader(name: string, ms: number, { timezone }: TaskMessageStyle, source: HubErrorOptions): string {
  if (ms <= WIRE_TIMES.last) return wireTime(Math.max(WIRE_TIMES.first, ms), timezone);
  // A worker drops the message without a word.
  throw new HubError('INVALID_ARGUMENT', `${name} is later than Python's last year, 9999.`, source);
}

function seconds(ms: number | null): number | null {
  // 0 would be no limit at all.
  return ms === null ? null : Math.max(0.001, ms / 1_000);
}
