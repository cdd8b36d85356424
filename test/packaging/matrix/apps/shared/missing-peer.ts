import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import Joi from 'joi';
import { defineDriver, ExperimentHubModule } from 'nestjs-experiment-hub';

/** A driver whose package nobody has installed. */
function driverWithout(load: () => Promise<never>) {
  return defineDriver({
    type: 'datastream',
    name: 'absent',
    label: 'Absent',
    peers: ['hub-matrix-absent-sdk@^1.2'],
    schema: Joi.object({}),
    load,
  });
}

/** Boots an application that picks the driver; resolves to the error. @param load imports or requires the package */
export async function bootWithoutPeer(load: () => Promise<never>): Promise<{ code: unknown; message: string }> {
  @Module({
    imports: [
      ExperimentHubModule.forRoot({
        drivers: [driverWithout(load)],
        config: {
          plugins: { datastream: { type: 'absent' }, mlops: { enabled: false }, taskqueue: { enabled: false } },
        },
      }),
    ],
  })
  class App {}

  try {
    const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
    await app.close();
  } catch (error) {
    if (error instanceof Error && 'code' in error) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('an application without the package of its driver booted');
}
