import { describe, expect, it } from 'vitest';
import { HubError } from '../../../core/errors.js';
import { connectionError } from './client/mlflow.connection-errors.js';
import { isAway, mayCome, reasonOf } from './mlflow.away.js';
import { answerError } from './mlflow.errors.js';

const SERVER = 'http://mlflow:5000';
const connection = (code: string): HubError =>
  connectionError(Object.assign(new Error(`it failed: ${code}`), { code }), SERVER, { transient: true });
const answer = (status: number): HubError =>
  answerError({ status, method: 'POST', path: '/api', server: SERVER, body: '' });

describe('a server that did not answer a probe', () => {
  it('may come at the start, unless nobody has its name, TLS fails or it refuses', () => {
    const codes = ['ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT', 'EAI_AGAIN'];
    expect(codes.filter((code) => !mayCome(connection(code)))).toEqual([]);
    expect([429, 500, 502, 503, 504].filter((status) => !mayCome(answer(status)))).toEqual([]);
    const wrong = ['ENOTFOUND', 'CERT_HAS_EXPIRED', 'EPROTO', 'UND_ERR_CLOSED'];
    expect(wrong.filter((code) => mayCome(connection(code)))).toEqual([]);
    expect([302, 401, 403, 404, 501].filter((status) => mayCome(answer(status)))).toEqual([]);
    expect([new HubError('UNAVAILABLE', 'for good'), new Error('ECONNREFUSED'), undefined].filter(mayCome)).toEqual([]);
  });

  it('is away later also when its name is gone, as the name of a stopped container is', () => {
    expect(['ECONNREFUSED', 'ENOTFOUND'].filter((code) => !isAway(connection(code)))).toEqual([]);
    expect([401, 403].filter((status) => isAway(answer(status)))).toEqual([]);
  });

  it('is spoken of without the name of the driver', () => {
    expect(reasonOf(connection('ECONNREFUSED'))).toBe(`cannot reach ${SERVER}: it failed: ECONNREFUSED`);
  });
});
