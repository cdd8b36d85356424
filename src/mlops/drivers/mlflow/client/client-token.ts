import { randomUUID } from 'node:crypto';
import { sleep } from '../../../../core/deadline.js';
import { HubError } from '../../../../core/errors.js';
import { isMaybeDone } from '../mlflow.errors.js';

/**
 * The tag that marks what a create request made, so that it can be found when the answer was lost. The client hides it
 * from its results; other clients see it.
 */
export const CLIENT_TOKEN_TAG = 'hub.clientToken';

/** How long creating something may take with all look-ups and attempts, in ms. */
export const CREATE_DEADLINE = 60_000;

/** How often a request whose outcome is unknown is sent at most. */
const ATTEMPTS = 3;
/** Waits before the look-ups after a lost answer, in ms: the server may still be working on the request. */
const LOOK_UPS = [0, 500, 1_500];

/** A fresh client token. */
export function newClientToken(): string {
  return randomUUID();
}

/** Settings that the APIs share. */
export interface ApiOptions {
  /** How long creating something may take with all attempts, in ms. Default {@link CREATE_DEADLINE}. */
  createDeadline?: number;
}

/** One thing to create. */
export interface CreateOnce<T> {
  /** Sends the request; `deadline` is what is left, in ms. */
  create(deadline: number): Promise<T>;
  /** The thing that an earlier attempt has made, by its client token. */
  find(deadline: number): Promise<T | undefined>;
  /** Most time for everything, in ms. */
  deadline: number;
  signal?: AbortSignal;
}

/**
 * Creates something exactly once although answers can be lost: after a failure that leaves the outcome open
 * (`details.maybeDone`) what was made is looked up by its client token, and only when it is not there the request is
 * sent again. After a time-out it is not: a slow server may still carry the first one out, so it is looked for until the
 * deadline. (One that works on a request for seconds after its connection broke can still make it twice: the look-ups go
 * on for 2 s then.) Rejects with the first failure's code when the deadline passes; `details.maybeDone` then says that it may
 * exist all the same.
 */
export async function createOnce<T>(work: CreateOnce<T>): Promise<T> {
  const end = Date.now() + work.deadline;
  const left = (): number => Math.max(1, end - Date.now());
  let lost: HubError | undefined;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work.create(left());
    } catch (error) {
      if (!HubError.is(error)) throw error;
      // A second attempt that finds the name taken met what the first one made.
      const met = lost !== undefined && error.code === 'ALREADY_EXISTS';
      if (!isMaybeDone(error) && !met) throw lost === undefined ? error : open(error);
      lost = error;
    }
    const isSlow = lost.details['timedOut'] === true;
    const found = await lookUp(work, left, isSlow ? Infinity : LOOK_UPS.length);
    if (found.answered && found.value !== undefined) return found.value;
    if (lost.code === 'ALREADY_EXISTS' || isSlow || !found.answered || attempt === ATTEMPTS || Date.now() >= end)
      throw lost;
  }
}

/** Looks until the thing is found, or was missing `times` times; while the server is away, until the end. */
async function lookUp<T>(
  work: CreateOnce<T>,
  left: () => number,
  times: number,
): Promise<{ answered: boolean; value?: T | undefined }> {
  let answers = 0;
  for (let turn = 0; answers < times; turn += 1) {
    const wait = LOOK_UPS[Math.min(turn, LOOK_UPS.length - 1)] ?? 0;
    if (wait >= left()) break;
    await sleep(wait, work.signal);
    try {
      const value = await work.find(left());
      if (value !== undefined) return { answered: true, value };
      answers += 1;
    } catch (error) {
      if (!HubError.is(error, 'UNAVAILABLE', 'TIMEOUT')) throw error;
    }
  }
  return { answered: answers > 0 };
}

/** The same error, marked as one after which the thing may exist: an earlier attempt's answer was lost. */
function open(error: HubError): HubError {
  return new HubError(error.code, error.message, { cause: error, details: { ...error.details, maybeDone: true } });
}
