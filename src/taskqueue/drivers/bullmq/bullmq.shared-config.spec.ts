import { describe, expect, it } from 'vitest';
import { rejectsWith } from '../../../core/contract.js';
import { BullMQPlugin } from './bullmq.plugin.js';
import { pluginOnShared, sharedConfigModule } from './bullmq.shared-config.js';
import { bullmqSchema, type BullMQOptions } from './bullmq.options.js';

describe('the shared configuration of the bullmq driver', () => {
  it('without @nestjs/bullmq is PEER_MISSING, with the command that installs it', async () => {
    const missing = Object.assign(new Error("Cannot find package '@nestjs/bullmq' imported from here"), {
      code: 'ERR_MODULE_NOT_FOUND',
    });
    const error = await rejectsWith(() => sharedConfigModule(true, () => Promise.reject(missing)), 'PEER_MISSING');
    expect(error.message).toContain('npm install @nestjs/bullmq');
    expect(error.details).toEqual({ missing: '@nestjs/bullmq', install: ['@nestjs/bullmq'] });
    const other = new Error('another fault');
    await expect(sharedConfigModule(true, () => Promise.reject(other))).rejects.toBe(other);
  });

  it('is asked for by the token of its configKey', async () => {
    const tokens: unknown[] = [];
    const load = async () => ({ getSharedConfigToken: (key?: string) => `token of ${key}` });
    for (const key of [true, 'mine'] as const) {
      const { providers = [] } = await sharedConfigModule(key, load);
      tokens.push(...providers.map((provider) => (provider as { inject: unknown[] }).inject[0]));
    }
    expect(tokens).toEqual([
      { token: 'token of undefined', optional: true },
      { token: 'token of mine', optional: true },
    ]);
  });

  it('is refused when its connection is a client of another library, and outside of Nest', () => {
    const options = bullmqSchema.validate({ sharedConfig: true }).value as BullMQOptions;
    const connection = { duplicate: () => undefined, connect: () => undefined, disconnect: () => undefined };
    expect(() => pluginOnShared(options, { connection })).toThrow(/client of another library.*ioredis/);
    expect(() => new BullMQPlugin({ sharedConfig: true } as never)).toThrow(/sharedConfig is for the Nest module/);
  });

  it('has no defaults for what it replaces, also when it is validated again', () => {
    const { value } = bullmqSchema.validate({ sharedConfig: 'mine' });
    expect(value).not.toHaveProperty('host');
    expect(value).not.toHaveProperty('port');
    expect(value).not.toHaveProperty('prefix');
    expect(bullmqSchema.validate(value)).toEqual({ value });
    expect(bullmqSchema.validate({ sharedConfig: false }).value).toMatchObject({ host: 'localhost', prefix: 'bull' });
  });
});
