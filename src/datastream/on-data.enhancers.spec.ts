import 'reflect-metadata';
import {
  Body,
  Catch,
  Controller,
  createParamDecorator,
  Injectable,
  Logger,
  Module,
  ParseIntPipe,
  SetMetadata,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplicationContext,
  type NestInterceptor,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, NestFactory, Reflector } from '@nestjs/core';
import { tap, type Observable } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DataStreamModule } from './datastream.module.js';
import { DataStreamPlugin } from './datastream.plugin.js';
import type { DataContext, Message } from './datastream.types.js';
import { OnData } from './on-data.decorator.js';
import { RejectMessage } from './reject-message.js';

/** What happened, in order. */
const events: unknown[] = [];

@Injectable()
class Journal {
  note(event: unknown): void {
    events.push(event);
  }
}

@Injectable()
class EvenGuard implements CanActivate {
  constructor(
    private readonly journal: Journal,
    private readonly reflector: Reflector,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const message = context.switchToRpc().getData<Message>();
    const { signal } = context.switchToRpc().getContext<DataContext>();
    const metadata = this.reflector.get<unknown>('topic', context.getHandler());
    this.journal.note(['guard', context.getType(), context.getClass().name, metadata, signal.aborted]);
    return Number(message.payload) % 2 === 0;
  }
}

@Injectable()
class Around implements NestInterceptor {
  constructor(private readonly journal: Journal) {}

  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    this.journal.note('before');
    return next
      .handle()
      .pipe(tap({ complete: () => this.journal.note('after'), error: () => this.journal.note('threw') }));
  }
}

class Duplicate extends Error {}
class Unknown extends Error {}

@Catch(Duplicate, Unknown)
class KnownErrors implements ExceptionFilter {
  async catch(error: unknown, host: ArgumentsHost): Promise<void> {
    events.push(['filter', host.getType(), host.getArgByIndex<Message>(0).payload]);
    if (error instanceof Unknown) throw new RejectMessage('nobody knows it');
  }
}

@Catch()
class SilentSync implements ExceptionFilter {
  catch(): void {
    events.push('silent');
  }
}

const Field = createParamDecorator((name: string, context: ExecutionContext) => {
  const { payload } = context.switchToRpc().getData<Message<Record<string, unknown>>>();
  return payload[name];
});

@Injectable()
class Orders {
  @SetMetadata('topic', 'sales')
  @UseGuards(EvenGuard)
  @UseInterceptors(Around)
  @OnData('orders', { createQueue: true })
  onOrder({ payload }: Message, { signal }: DataContext): void {
    events.push(['handler', payload, signal.aborted]);
    if (payload === 4) throw new Error('four');
  }
}

@Controller('audit')
@UseGuards(EvenGuard)
class AuditController {
  @OnData('orders', { createQueue: true })
  onAudit({ payload }: Message): void {
    events.push(['handler', payload]);
  }
}

@Injectable()
class Filtered {
  @UseFilters(KnownErrors)
  @OnData('known', { createQueue: true })
  onKnown({ payload }: Message): void {
    throw payload === 'duplicate' ? new Duplicate() : new Unknown();
  }

  @UseFilters(new SilentSync())
  @OnData('silent', { createQueue: true })
  onSilent(): void {
    throw new Error('still failed');
  }
}

@Injectable()
class Decorated {
  @OnData('orders', { createQueue: true })
  onOrder(@Field('id', ParseIntPipe) id: number, @Field('name') name: string): void {
    events.push([id, name]);
  }
}

@Injectable()
class Plain {
  @OnData('orders', { createQueue: true })
  onOrder({ payload }: Message): void {
    events.push(['handler', payload]);
    if (payload === 4) throw new Error('four');
  }
}

describe('enhancers of @OnData', () => {
  const apps: INestApplicationContext[] = [];
  const moduleOf = (providers: Provider[], controllers: Type[] = []): Type => {
    @Module({
      imports: [DataStreamModule.forRoot({ config: { dataDir: ':memory:' } })],
      providers: [Journal, ...providers],
      controllers,
    })
    class AppModule {}
    return AppModule;
  };
  const boot = async (providers: Provider[], controllers: Type[] = []): Promise<DataStreamPlugin> => {
    const app = await NestFactory.createApplicationContext(moduleOf(providers, controllers), {
      logger: false,
      abortOnError: false,
    });
    apps.push(app);
    return app.get(DataStreamPlugin);
  };
  /** Sends, waits until everything is settled, and resolves to reason and detail of the dead letters. */
  const work = async (stream: DataStreamPlugin, queue: string, ...payloads: (string | number | object)[]) => {
    for (const payload of payloads) await stream.sendData(queue, payload as never);
    await vi.waitFor(async () => {
      expect(await stream.queueInfo(queue)).toMatchObject({ ready: 0, unacked: 0, delayed: 0 });
    }, 5_000);
    return (await stream.peekDeadLetters(queue)).map(({ payload, reason, detail }) => [payload, reason, detail]);
  };
  beforeEach(() => void events.splice(0));
  afterEach(async () => {
    vi.restoreAllMocks();
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });

  it('guards and interceptors of a method, with their dependencies; a guard that says no is a failure', async () => {
    const dead = await work(await boot([Orders]), 'orders', 2, 3, 4);
    const guarded = ['guard', 'datastream', 'Orders', 'sales', false];
    expect(events).toEqual([
      ...[guarded, 'before', ['handler', 2, false], 'after'],
      guarded,
      ...[guarded, 'before', ['handler', 4, false], 'threw'],
    ]);
    expect(dead).toEqual([
      [3, 'failed', 'Forbidden resource'],
      [4, 'failed', 'four'],
    ]);
  });

  it('guards of the class of a controller', async () => {
    expect(await work(await boot([], [AuditController]), 'orders', 2, 3)).toEqual([
      [3, 'failed', 'Forbidden resource'],
    ]);
    expect(events).toContainEqual(['handler', 2]);
    expect(events).not.toContainEqual(['handler', 3]);
  });

  it('a filter that ends without an error has handled it: acked; what it throws is what counts', async () => {
    const stream = await boot([Filtered]);
    expect(await work(stream, 'known', 'duplicate', 'unknown')).toEqual([['unknown', 'rejected', 'nobody knows it']]);
    expect(events).toEqual([
      ['filter', 'datastream', 'duplicate'],
      ['filter', 'datastream', 'unknown'],
    ]);
  });

  it('a synchronous filter that returns nothing leaves the error as it is', async () => {
    expect(await work(await boot([Filtered]), 'silent', 1)).toEqual([[1, 'failed', 'still failed']]);
    expect(events).toEqual(['silent']);
  });

  it('global ones that are providers: APP_GUARD, APP_INTERCEPTOR, APP_FILTER', async () => {
    const dead = await work(
      await boot([
        Plain,
        { provide: APP_GUARD, useClass: EvenGuard },
        { provide: APP_INTERCEPTOR, useClass: Around },
        { provide: APP_FILTER, useClass: SilentSync },
      ]),
      'orders',
      2,
      3,
      4,
    );
    const guarded = ['guard', 'datastream', 'Plain', undefined, false];
    expect(events).toEqual([
      ...[guarded, 'before', ['handler', 2], 'after'],
      ...[guarded, 'silent'],
      ...[guarded, 'before', ['handler', 4], 'threw', 'silent'],
    ]);
    expect(dead).toEqual([
      [3, 'failed', 'Forbidden resource'],
      [4, 'failed', 'four'],
    ]);
  });

  it('global ones that are set on the application before it is initialized', async () => {
    const app = await NestFactory.create(moduleOf([Plain]), { logger: false, abortOnError: false });
    apps.push(app);
    app.useGlobalGuards(new EvenGuard(app.get(Journal), app.get(Reflector)));
    app.useGlobalInterceptors(new Around(app.get(Journal)));
    app.useGlobalFilters(new SilentSync());
    await app.init();
    expect(await work(app.get(DataStreamPlugin), 'orders', 2, 3)).toEqual([[3, 'failed', 'Forbidden resource']]);
    const guarded = ['guard', 'datastream', 'Plain', undefined, false];
    expect(events).toEqual([guarded, 'before', ['handler', 2], 'after', guarded, 'silent']);
  });

  it('decorators of parameters with pipes, global ones first', async () => {
    const dead = await work(
      await boot([Decorated, { provide: APP_PIPE, useValue: { transform: (value: string) => value.trim() } }]),
      'orders',
      { id: ' 7', name: 'a ' },
      { id: 'x', name: 'b' },
    );
    expect(events).toEqual([[7, 'a']]);
    expect(dead).toEqual([[{ id: 'x', name: 'b' }, 'failed', expect.stringContaining('numeric string is expected')]]);
  });

  it('without filters an error is logged once, by the hub', async () => {
    const error = vi.spyOn(Logger.prototype, 'error');
    expect(await work(await boot([Plain]), 'orders', 4)).toEqual([[4, 'failed', 'four']]);
    expect(error).not.toHaveBeenCalled();
  });

  it('decorators of HTTP parameters fail the boot', async () => {
    @Injectable()
    class Mixed {
      @OnData('orders', { createQueue: true })
      onOrder(@Body() body: unknown): void {
        events.push(body);
      }
    }
    await expect(boot([Mixed])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/@OnData on Mixed\.onOrder.*createParamDecorator/),
    });
  });

  it('a guard that Nest would leave out fails the boot', async () => {
    await expect(boot([{ provide: 'orders', useFactory: () => new Orders() }])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/Orders\.onOrder.*EvenGuard/),
    });
  });
});
