import { readFileSync } from 'node:fs';
import { Controller, Get, Module, type DynamicModule } from '@nestjs/common';
import { ApiOkResponse, ApiProperty, DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterEach, describe, expect, it } from 'vitest';
import { addHubApi, ExperimentHubApiModule, hubApiDocument } from '../../src/api/index.js';
import { adapters, ApiApp } from './api-app.js';

class Thing {
  @ApiProperty()
  name = 'x';
}

@Controller('things')
class ThingsController {
  @Get()
  @ApiOkResponse({ type: Thing })
  list(): Thing {
    return new Thing();
  }
}

@Module({ controllers: [ThingsController] })
class ThingsModule {}
const things: DynamicModule = { module: ThingsModule };

interface Operation {
  operationId: string;
  summary: string;
  tags: string[];
  requestBody?: { content: Record<string, { schema: object }> };
  responses: Record<string, { content?: Record<string, { schema?: { $ref?: string } }> }>;
  security?: object[];
}

const operations = ({ paths }: OpenAPIObject): [string, Operation][] =>
  Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, Operation>).map(([method, operation]): [string, Operation] => [
      `${method} ${path}`,
      operation,
    ]),
  );

const validate = async (document: OpenAPIObject): Promise<unknown> => {
  const { valid, errors } = await new Validator().validate(structuredClone(document) as never);
  return valid ? 'valid' : errors;
};

describe('the OpenAPI document', () => {
  const apps: ApiApp[] = [];
  const open = async (options: Parameters<typeof ApiApp.open>[0] = {}): Promise<ApiApp> => {
    const api = await ApiApp.open(options);
    apps.push(api);
    return api;
  };
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((api) => api.close()));
  });

  it.each(Object.keys(adapters) as (keyof typeof adapters)[])('is valid and served on %s', async (adapter) => {
    const api = await open({ adapter });
    const { status, body } = await api.get<OpenAPIObject>('/api/openapi.json');
    expect([status, await validate(body)]).toEqual([200, 'valid']);
    expect(body).toEqual(JSON.parse(JSON.stringify(hubApiDocument(api.app))));
  });

  it('tells every answer of every operation, errors as problems', async () => {
    const all = operations(hubApiDocument((await open()).app));
    expect(all).toHaveLength(31);
    expect(new Set(all.map(([, { operationId }]) => operationId)).size).toBe(31);
    const faults = all.flatMap(([name, { responses, summary, tags }]) =>
      Object.entries(responses).flatMap(([status, { content = {} }]) => {
        const isProblem = status === 'default' || Number(status) >= 400;
        const health = name.endsWith('/health') && status === '503';
        const [type = '', { schema } = {}] = Object.entries(content)[0] ?? [];
        const fits =
          isProblem && !health
            ? type === 'application/problem+json' && schema?.$ref === '#/components/schemas/HubProblem'
            : schema !== undefined;
        return fits && summary !== '' && tags.length === 1 ? [] : [`${name} ${status}`];
      }),
    );
    expect(faults).toEqual([]);
    for (const [name, { responses }] of all) {
      expect(Object.keys(responses), name).toEqual(expect.arrayContaining(['400', '401', '403', 'default']));
    }
  });

  it('names every schema of a body', async () => {
    for (const [name, { requestBody, responses }] of operations(hubApiDocument((await open()).app))) {
      const json = [requestBody?.content, ...Object.values(responses).map(({ content }) => content)]
        .flatMap((content) => Object.entries(content ?? {}))
        .filter(([type]) => type !== 'application/octet-stream');
      for (const [, { schema }] of json) expect(schema, name).toEqual({ $ref: expect.stringContaining('/Hub') });
    }
  });

  it('is what docs/http-api.md lists', async () => {
    const page = readFileSync(new URL('../../docs/http-api.md', import.meta.url), 'utf8');
    const listed = [...page.matchAll(/^\| (GET|POST|DELETE) +\| `([^`]+)`/gm)].map(
      ([, method = '', path = '']) => `${method.toLowerCase()} /api${path}`,
    );
    const made = operations(hubApiDocument((await open()).app)).map(([name]) => name);
    expect(listed.sort()).toEqual([...made, 'get /api/openapi.json'].sort());
  });

  it('tells how to authenticate', async () => {
    const scheme = async (api: ApiApp): Promise<unknown> => hubApiDocument(api.app).components?.securitySchemes;
    expect(await scheme(await open())).toMatchObject({ hubApi: { type: 'http', scheme: 'bearer' } });
    expect(await scheme(await open({ module: ExperimentHubApiModule.forRoot({ auth: 'none' }) }))).toBeUndefined();
    const { guards } = {
      guards: [
        class Guard {
          canActivate = (): boolean => true;
        },
      ],
    };
    const securityScheme = { type: 'apiKey', in: 'header', name: 'x-key' } as const;
    const keyed = await open({ module: ExperimentHubApiModule.forRoot({ auth: { guards, securityScheme } }) });
    expect(await scheme(keyed)).toEqual({ hubApi: securityScheme });
    expect(await validate(hubApiDocument(keyed.app))).toBe('valid');
  });

  it('follows the path and the global prefix', async () => {
    const api = await open({
      api: { path: 'hub/api' },
      configure: (app) => app.setGlobalPrefix('v1', { exclude: ['health'] }),
    });
    const paths = Object.keys(hubApiDocument(api.app).paths);
    expect(paths.every((path) => path.startsWith('/v1/hub/api/'))).toBe(true);
    expect((await api.get('/v1/hub/api/experiments')).status).toBe(200);
    expect(await api.problem('PATCH', '/v1/hub/api/experiments')).toMatchObject({ status: 405 });
    expect(await api.problem('POST', '/v1/hub/api/tasks', '{"a')).toMatchObject({ status: 400 });
    const { headers } = await api.post('/v1/hub/api/experiments/toy/train');
    expect(headers.get('location')).toMatch(/^\/v1\/hub\/api\/experiments\/toy\/runs\/\w+$/);
  });

  it('stays outside of a global prefix that excludes it', async () => {
    const api = await open({ configure: (app) => app.setGlobalPrefix('v1', { exclude: ['api', 'api/*path'] }) });
    expect((await api.get('/api/experiments')).status).toBe(200);
    expect(await api.problem('POST', '/api/tasks', '{"a')).toMatchObject({ status: 400 });
  });

  it('goes into a document of the application, which stays valid', async () => {
    const api = await open({ imports: [things] });
    const mine = SwaggerModule.createDocument(api.app, new DocumentBuilder().setTitle('Mine').addBasicAuth().build());
    expect(await validate(mine)).toBe('valid');
    const both = addHubApi(mine, api.app);
    expect(await validate(both)).toBe('valid');
    expect(both.info.title).toBe('Mine');
    expect(Object.keys(both.paths)).toEqual(expect.arrayContaining(['/things', '/api/experiments/{name}/predict']));
    expect(Object.keys(both.components?.schemas ?? {})).toEqual(expect.arrayContaining(['Thing', 'HubProblem']));
    expect(Object.keys(both.components?.securitySchemes ?? {})).toEqual(['basic', 'hubApi']);
    const secured = operations(both).filter(([, { security }]) => JSON.stringify(security) === '[{"hubApi":[]}]');
    expect(secured).toHaveLength(31);
  });

  it('two applications in one process keep their own', async () => {
    const [first, second] = [
      await open({ api: { path: 'one' } }),
      await open({ api: { path: 'two' }, adapter: 'fastify' }),
    ];
    expect((await first.get('/one/experiments')).status).toBe(200);
    expect((await second.get('/two/experiments')).status).toBe(200);
    expect((await first.get('/two/experiments')).status).toBe(404);
    expect(Object.keys(hubApiDocument(first.app).paths).every((path) => path.startsWith('/one/'))).toBe(true);
    expect(Object.keys(hubApiDocument(second.app).paths).every((path) => path.startsWith('/two/'))).toBe(true);
  });
});
