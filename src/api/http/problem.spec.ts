import { ForbiddenException, HttpException, ImATeapotException } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { HUB_ERROR_CODES, HubError } from '../../core/errors.js';
import { PROBLEM_STATUS, problemOf, problemSchema } from './problem.js';

const plain = (value: string): string => value;
const hide = (value: string): string => value.replaceAll('canary', '***');

describe('problemOf', () => {
  it.each(HUB_ERROR_CODES)('%s fits the schema, and a fault of the server tells nothing of its message', (code) => {
    const problem = problemOf(new HubError(code, 'at host-7 in /var/x'), plain);
    expect(problemSchema.validate(problem).error).toBeUndefined();
    expect(problem).toMatchObject({ code, status: PROBLEM_STATUS[code], type: 'about:blank' });
    expect(problem.detail.includes('host-7')).toBe(problem.status < 500);
  });

  it('no error of the hub is taken for one of authentication', () => {
    expect(Object.values(PROBLEM_STATUS)).not.toContain(401);
    expect(Object.values(PROBLEM_STATUS)).not.toContain(403);
  });

  it('removes secrets', () => {
    expect(problemOf(new HubError('CONFLICT', 'canary'), hide).detail).toBe('***');
    expect(problemOf(new ForbiddenException('canary'), hide).detail).toBe('***');
  });

  it('knows the exceptions of Nest', () => {
    expect(problemOf(new ForbiddenException('no'), plain)).toMatchObject({
      status: 403,
      code: 'FORBIDDEN',
      detail: 'no',
    });
    expect(problemOf(new ImATeapotException(), plain)).toMatchObject({ status: 418, code: 'HTTP_418' });
    expect(problemOf(new HttpException('odd', 200), plain)).toMatchObject({ status: 500 });
  });

  it.each([new Error('canary'), 'canary', null, undefined, { status: 200 }])(
    'of anything else tells nothing: %j',
    (thrown) => {
      const problem = problemOf(thrown, plain);
      expect(problem).toMatchObject({ status: 500, code: 'INTERNAL', title: 'Internal Server Error' });
      expect(JSON.stringify(problem)).not.toContain('canary');
    },
  );

  it('gives each answer an identity of its own', () => {
    expect(problemOf(null, plain).instance).not.toBe(problemOf(null, plain).instance);
  });
});
