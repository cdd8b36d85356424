import {
  Controller,
  Inject,
  Module,
  UseFilters,
  UseGuards,
  VERSION_NEUTRAL,
  type CanActivate,
  type DynamicModule,
  type FactoryProvider,
  type NestModule,
  type Provider,
  type Type,
} from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/constants.js';
import { ApplicationConfig, HttpAdapterHost } from '@nestjs/core';
import { HubApiAccess } from './access/hub-access.js';
import { HubApiAccessGuard } from './access/access.guard.js';
import {
  HUB_API_OPTIONS,
  resolveHubApiOptions,
  resolveHubApiPath,
  type HubApiExtras,
  type HubApiGuards,
  type HubApiOptions,
  type ResolvedHubApiOptions,
} from './api.options.js';
import { HubApiArtifactsController } from './controllers/artifacts.controller.js';
import { HubApiCommandsController } from './controllers/commands.controller.js';
import { HubApiDocumentController } from './controllers/document.controller.js';
import { HubApiExperimentsController } from './controllers/experiments.controller.js';
import { HubApiHubController } from './controllers/hub.controller.js';
import { HubApiQueuesController } from './controllers/queues.controller.js';
import { HubApiRunsController } from './controllers/runs.controller.js';
import { HubApiTasksController } from './controllers/tasks.controller.js';
import { catchAll, createUnknownPathController } from './controllers/unknown-path.controller.js';
import { HubApiProblemFilter } from './http/problem.filter.js';
import { HubApiRedaction } from './http/redaction.js';
import { keepRequestFaults } from './http/request-faults.js';
import { HubApiRequestGuard } from './http/request.guard.js';
import { HubApiDocument } from './openapi/api-document.js';
import { HUB_API_MODULE } from './openapi/api-module.token.js';
import { HubApiProgressStreams } from './progress/progress-streams.js';

/** Options of `ExperimentHubApiModule.forRoot`. */
export type ExperimentHubApiModuleOptions = HubApiOptions & HubApiExtras;

/** Options of `ExperimentHubApiModule.forRootAsync`. */
export interface ExperimentHubApiModuleAsyncOptions extends HubApiExtras {
  /** Guards stand here, since they change the module's shape; the factory then gives no `auth`. */
  auth?: HubApiGuards;
  inject?: FactoryProvider['inject'];
  useFactory: (
    // oxlint-disable-next-line typescript/no-explicit-any
    ...args: any[]
  ) => Promise<AsyncHubApiOptions> | AsyncHubApiOptions;
}

/** What the factory of `forRootAsync` gives: `auth` unless guards were given beside it. */
export type AsyncHubApiOptions = Omit<HubApiOptions, 'auth'> & { auth?: Exclude<HubApiOptions['auth'], HubApiGuards> };

const CONTROLLERS: readonly Type[] = [
  HubApiExperimentsController,
  HubApiCommandsController,
  HubApiRunsController,
  HubApiArtifactsController,
  HubApiTasksController,
  HubApiQueuesController,
  HubApiHubController,
  HubApiDocumentController,
];

/** What the module's class needs to know of its import. */
interface Mount {
  path: string;
  unknownPath: Type;
}

const HUB_API_MOUNT = Symbol('hub api mount');

/**
 * The hub over HTTP: experiments, runs, tasks, queues, plugins and health, with an OpenAPI document at
 * `<path>/openapi.json`. Import it beside `ExperimentHubModule`, which has to be global (the default). Needs
 * `@nestjs/swagger`. See docs/http-api.md.
 */
@Module({})
export class ExperimentHubApiModule implements NestModule {
  constructor(
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(ApplicationConfig) private readonly config: ApplicationConfig,
    @Inject(HUB_API_MOUNT) private readonly mount: Mount,
  ) {}

  /** `CONFIG_INVALID` without `auth`, or for options that do not fit. */
  static forRoot({ path, imports = [], ...options }: ExperimentHubApiModuleOptions): DynamicModule {
    const resolved = resolveHubApiOptions(options);
    return compose({ path, imports, auth: resolved.auth }, { provide: HUB_API_OPTIONS, useValue: resolved });
  }

  /** Options from providers: `useFactory` with `inject`; path and guards beside them. Bad ones fail the boot with `CONFIG_INVALID`. */
  static forRootAsync(options: ExperimentHubApiModuleAsyncOptions): DynamicModule {
    const { path, imports = [], auth, inject = [], useFactory } = options;
    if (auth !== undefined) resolveHubApiOptions({ auth });
    return compose(
      { path, imports, auth },
      {
        provide: HUB_API_OPTIONS,
        inject,
        useFactory: async (...args: unknown[]): Promise<ResolvedHubApiOptions> =>
          resolveHubApiOptions(checkAuth(auth, await useFactory(...args))),
      },
    );
  }

  /** Called by Nest between body parser and routes; see {@link keepRequestFaults}. @internal */
  configure(): void {
    const { path, unknownPath } = this.mount;
    catchAll(unknownPath, this.host.httpAdapter.getType());
    const prefix = this.config.getGlobalPrefix().replaceAll(/^\/+|\/+$/g, '');
    const excluded = (this.config.getGlobalPrefixOptions().exclude ?? []).some(({ pathRegex }) =>
      pathRegex.test(`/${path}`),
    );
    keepRequestFaults(this.host, prefix === '' || excluded ? `/${path}` : `/${prefix}/${path}`);
  }
}

/** One of two kinds of `auth`; a factory cannot bring guards, which would silently not be there. */
function checkAuth(guards: HubApiGuards | undefined, { auth, ...options }: AsyncHubApiOptions): HubApiOptions {
  if (guards !== undefined && auth === undefined) return { ...options, auth: guards };
  const late = typeof auth === 'object' && 'guards' in auth;
  // An `auth` that does not fit makes the message; it says what does.
  return { ...options, auth: (guards !== undefined || late ? undefined : auth) as HubApiOptions['auth'] };
}

interface Shape {
  path: string | undefined;
  imports: NonNullable<HubApiExtras['imports']>;
  auth: HubApiOptions['auth'] | undefined;
}

function compose({ path, imports, auth }: Shape, options: Provider): DynamicModule {
  const base = resolveHubApiPath(path);
  const own = typeof auth === 'object' && 'guards' in auth ? auth.guards : [];
  const mount: Mount = { path: base, unknownPath: createUnknownPathController() };
  return {
    module: ExperimentHubApiModule,
    imports: [...imports],
    // The path for everything comes last: on Express the first route that fits answers.
    controllers: [...CONTROLLERS, mount.unknownPath].map((controller) => bind(controller, base, own)),
    providers: [
      options,
      { provide: HUB_API_MOUNT, useValue: mount },
      { provide: HUB_API_MODULE, useValue: ExperimentHubApiModule },
      HubApiAccess,
      HubApiDocument,
      HubApiProgressStreams,
      HubApiRedaction,
    ],
    exports: [HubApiDocument],
  };
}

/** A controller of its own for each import of the module: Nest fixes path and guards with the class. */
function bind(controller: Type, base: string, guards: readonly Type<CanActivate>[]): Type {
  const Bound = class extends controller {};
  Object.defineProperty(Bound, 'name', { value: controller.name });
  const path = String(Reflect.getMetadata(PATH_METADATA, controller));
  Controller({ path: path === '/' ? base : `${base}/${path}`, version: VERSION_NEUTRAL })(Bound);
  UseFilters(HubApiProblemFilter)(Bound);
  UseGuards(HubApiAccessGuard, ...guards, HubApiRequestGuard)(Bound);
  return Bound;
}
