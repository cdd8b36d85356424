import {
  Catch,
  Controller,
  Injectable,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { map, type Observable } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Task } from './task.decorator.js';
import { TaskQueueModule } from './taskqueue.module.js';
import { TaskQueuePlugin } from './taskqueue.plugin.js';
import type { TaskContext } from './taskqueue.types.js';

@Injectable()
class Allowed {
  readonly names = ['guarded'];
}

@Injectable()
class NameGuard implements CanActivate {
  constructor(private readonly allowed: Allowed) {}

  canActivate(context: ExecutionContext): boolean {
    const { args } = context.switchToRpc().getData<TaskContext>();
    return String(context.getType()) === 'taskqueue' && this.allowed.names.includes(String(args[0]));
  }
}

@Injectable()
class Loud implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<string> {
    return next.handle().pipe(map((result) => `${String(result)}!`));
  }
}

@Catch(RangeError)
class Fallback implements ExceptionFilter {
  async catch(error: Error, host: ArgumentsHost): Promise<string> {
    return `${host.getType()} without ${error.message}`;
  }
}

@Controller('tasks')
class Tasks {
  @UseGuards(NameGuard)
  @UseInterceptors(Loud)
  @Task('hello')
  hello({ args }: TaskContext): string {
    return `hello ${String(args[0])}`;
  }

  @UseFilters(Fallback)
  @Task('filtered')
  filtered({ args }: TaskContext): never {
    throw args[0] === 'range' ? new RangeError('range') : new Error('other');
  }
}

describe('enhancers of @Task', () => {
  let app: TestingModule;
  const result = async (name: string, argument: string): Promise<unknown> => {
    const tasks = app.get(TaskQueuePlugin);
    return tasks.getResult(await tasks.submitTask(name, { args: [argument] }));
  };
  beforeEach(async () => {
    const queue = TaskQueueModule.forRoot({ type: 'local', config: { dataDir: ':memory:' } });
    app = await Test.createTestingModule({ imports: [queue], providers: [Allowed], controllers: [Tasks] }).compile();
    app.useLogger(false);
    await app.init();
  });
  afterEach(() => app.close());

  it('guards and interceptors: a guard that says no fails the task, and the interceptor gives its result', async () => {
    expect(await result('hello', 'guarded')).toBe('hello guarded!');
    await expect(result('hello', 'somebody')).rejects.toMatchObject({
      code: 'TASK_FAILED',
      message: expect.stringContaining('Forbidden resource'),
    });
  });

  it('what a filter returns is the result; an error that it does not catch is the error of the task', async () => {
    expect(await result('filtered', 'range')).toBe('taskqueue without range');
    await expect(result('filtered', 'other')).rejects.toMatchObject({
      code: 'TASK_FAILED',
      message: expect.stringContaining('other'),
    });
  });
});
