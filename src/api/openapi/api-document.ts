import { Inject, Injectable, type INestApplication } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { HUB_API_OPTIONS, type HubApiSecurityScheme, type ResolvedHubApiOptions } from '../api.options.js';
import { HUB_API_MODULE } from './api-module.token.js';
import { nameSchemas } from './named-schemas.js';

/**
 * An OpenAPI document, as far as the API's helpers know it.
 * It fits `OpenAPIObject` of `@nestjs/swagger`, and is named here so that types can be checked where that is not installed.
 */
export interface HubApiOpenApi {
  openapi: string;
  info: { title: string; version: string; description?: string };
  paths: Record<string, object>;
  components?: {
    schemas?: Record<string, object>;
    securitySchemes?: Record<string, Pick<HubApiSecurityScheme, 'type'>>;
  };
  security?: Record<string, string[]>[];
}

/** Name of the security scheme in the document. */
const SCHEME = 'hubApi';

/** The OpenAPI document of the API, made when it is first asked for. @internal */
@Injectable()
export class HubApiDocument {
  #value: HubApiOpenApi | undefined;
  #paths: { pattern: RegExp; methods: string[] }[] | undefined;

  constructor(
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(ApplicationConfig) private readonly config: ApplicationConfig,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(HUB_API_OPTIONS) private readonly options: ResolvedHubApiOptions,
    @Inject(HUB_API_MODULE) private readonly module: Function,
  ) {}

  get value(): HubApiOpenApi {
    this.#value ??= this.#create();
    return this.#value;
  }

  /** The methods that a path takes; none when it is no path of the API. */
  methodsOf(path: string): string[] {
    this.#paths ??= Object.entries(this.value.paths).map(([template, item]) => ({
      pattern: new RegExp(`^${template.replaceAll(/[.+]/g, '\\$&').replaceAll(/\{[^}]+\}/g, '[^/]+')}/?$`, 'i'),
      methods: Object.keys(item as object)
        .filter((method) => ['get', 'post', 'delete'].includes(method))
        .flatMap((method) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()])),
    }));
    return this.#paths.find(({ pattern }) => pattern.test(path))?.methods ?? [];
  }

  #create(): HubApiOpenApi {
    const builder = new DocumentBuilder()
      .setTitle('Experiment hub')
      .setDescription('Experiments, runs, tasks, queues and plugins of nestjs-experiment-hub.')
      .setVersion('1');
    const { auth } = this.options;
    if (auth !== 'none') {
      const scheme = 'guards' in auth ? auth.securityScheme : undefined;
      builder.addSecurity(
        SCHEME,
        (scheme ?? { type: 'http', scheme: 'bearer' }) as Parameters<typeof builder.addSecurity>[1],
      );
      builder.addSecurityRequirements(SCHEME);
    }
    // What SwaggerModule reads of an application; inside of a module there is no handle on the application itself.
    const application = {
      container: { getModules: () => this.modules, isGlobalModule: () => false },
      config: this.config,
      getHttpAdapter: () => this.host.httpAdapter,
    } as unknown as INestApplication;
    const document = SwaggerModule.createDocument(application, builder.build(), {
      include: [this.module],
      autoTagControllers: false,
    });
    // Its schemes are the one given above, none a reference.
    return nameSchemas(document as HubApiOpenApi);
  }
}

/**
 * The OpenAPI document of the hub's API in `app`, e.g. for `SwaggerModule.setup('docs', app, hubApiDocument(app))`.
 * `INVALID_ARGUMENT` when the application does not import `ExperimentHubApiModule`.
 */
export function hubApiDocument(app: Pick<INestApplication, 'get'>): HubApiOpenApi {
  return app.get(HubApiDocument, { strict: false }).value;
}

/** What {@link addHubApi} needs of a document. */
interface AnyDocument {
  paths: object;
  components?: { schemas?: object; securitySchemes?: object };
}

/**
 * Adds the hub's API to a document of the application's own, made by `SwaggerModule.createDocument`: paths, named schemas
 * and the security of its operations. What the scan of the controllers put there of it already is replaced.
 */
export function addHubApi<Document extends AnyDocument>(
  document: Document,
  app: Pick<INestApplication, 'get'>,
): Document {
  const { paths, components, security = [] } = hubApiDocument(app);
  const secured = Object.fromEntries(
    Object.entries(paths).map(([path, item]) => [
      path,
      Object.fromEntries(Object.entries(item).map(([method, operation]) => [method, { ...operation, security }])),
    ]),
  );
  return {
    ...document,
    paths: { ...document.paths, ...secured },
    components: {
      ...document.components,
      schemas: { ...document.components?.schemas, ...components?.schemas },
      securitySchemes: { ...document.components?.securitySchemes, ...components?.securitySchemes },
    },
  };
}
