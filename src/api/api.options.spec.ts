import { Injectable, type CanActivate } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { ExperimentHubApiModule } from './api.module.js';
import { isAllowed, resolveHubApiOptions, resolveHubApiPath } from './api.options.js';

@Injectable()
class Guard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

const code = (options: unknown): unknown => {
  try {
    resolveHubApiOptions(options);
    return 'accepted';
  } catch (error) {
    return error;
  }
};

describe('options of the API', () => {
  it.each([
    {},
    { auth: undefined },
    { auth: null },
    { auth: 'any' },
    { auth: {} },
    { auth: { guards: [] } },
    { auth: { bearerTokens: [] } },
    { auth: { bearerTokens: ['short'] } },
    { auth: { bearerTokens: ['has spaces in it, though long'] } },
    { auth: { bearerTokens: ['long-enough-for-a-token', ''] } },
    { auth: { guards: [Guard], bearerTokens: ['long-enough-for-a-token'] } },
  ])('is closed by default: %j is CONFIG_INVALID', (options) => {
    expect(code(options)).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('api.auth') });
    expect(() => ExperimentHubApiModule.forRoot(options as never)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });

  it('never quotes a token', () => {
    const error = code({ auth: { bearerTokens: ['canary-spaced token-canary', 'canary'] } });
    expect(JSON.stringify(error)).not.toContain('canary');
    expect(String(error)).not.toContain('canary');
  });

  it.each([{ auth: 'none' }, { auth: { guards: [Guard] } }, { auth: { bearerTokens: ['0123456789abcdef'] } }])(
    'accepts %j, with everything else shut',
    (options) => {
      expect(resolveHubApiOptions(options)).toMatchObject({
        tasks: 'none',
        queues: { read: 'none', send: 'none', manage: 'none' },
        limits: {
          bodyBytes: 1_048_576,
          pageSize: 1_000,
          wait: 30_000,
          stream: 3_600_000,
          heartbeat: 15_000,
          streams: 100,
        },
      });
    },
  );

  it('fills in the queues and limits that are not given', () => {
    const { queues, limits } = resolveHubApiOptions({ auth: 'none', queues: { read: 'any' }, limits: { wait: 5 } });
    expect(queues).toEqual({ read: 'any', send: 'none', manage: 'none' });
    expect(limits).toMatchObject({ wait: 5, pageSize: 1_000 });
  });

  it('names are exact', () => {
    expect(isAllowed(['a'], 'a')).toBe(true);
    expect(isAllowed(['a'], 'A')).toBe(false);
    expect(isAllowed([], 'a')).toBe(false);
    expect(isAllowed('none', 'none')).toBe(false);
    expect(isAllowed('any', 'x')).toBe(true);
  });

  it.each([
    [undefined, 'api'],
    ['api', 'api'],
    ['/hub/api/', 'hub/api'],
  ])('path %j is %j', (path, expected) => {
    expect(resolveHubApiPath(path)).toBe(expected);
  });

  it.each(['', '/', '..', 'a/../b', 'a//b', ':name', 'a b', '*', '../x?', 5])('path %j is CONFIG_INVALID', (path) => {
    expect(() => resolveHubApiPath(path)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});
