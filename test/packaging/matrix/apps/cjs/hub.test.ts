import 'reflect-metadata';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { HubTestingModule } from 'nestjs-experiment-hub/testing';
import { MatrixService } from '../shared/matrix.service.js';

let testing: TestingModule;
let service: MatrixService;

beforeAll(async () => {
  testing = await Test.createTestingModule({
    imports: [HubTestingModule.forRoot()],
    providers: [MatrixService],
  }).compile();
  await testing.init();
  service = testing.get(MatrixService);
});

afterAll(async () => {
  await testing.close();
});

it('logs a metric', async () => {
  expect(await service.metric()).toBe(0.75);
});

it('carries a message', async () => {
  expect(await service.message()).toEqual({ row: 1 });
});

it('runs a task in process and in a worker thread', async () => {
  expect(await service.taskInProcess()).toBe(42);
  // A worker thread is outside Jest and its transforms: it gets built JavaScript.
  const built = pathToFileURL(join(__dirname, '..', 'dist', 'shared', 'thread.tasks.js'));
  expect(await service.taskInThread(built)).toEqual({ onMainThread: false });
});
