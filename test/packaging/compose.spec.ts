import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

interface Service {
  image?: string;
  build?: { dockerfile_inline?: string };
  ports?: string[];
  healthcheck?: { test?: string[] };
  volumes?: string[];
  command?: string[];
}

const text = readFileSync(new URL('../../docker-compose.yml', import.meta.url), 'utf8');
const { services, volumes } = parse(text) as { services: Record<string, Service>; volumes: Record<string, unknown> };

describe('docker-compose.yml', () => {
  it('has the backends and the worker', () => {
    expect(Object.keys(services)).toEqual(['rabbitmq', 'redis', 'postgres', 'mlflow', 'worker']);
  });

  it.each(Object.entries(services))(
    '%s is pinned, healthy by a check, and open to this machine only',
    (_name, service) => {
      for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
      expect(service.healthcheck?.test?.length).toBeGreaterThan(1);
      const base = /^FROM (\S+)$/m.exec(service.build?.dockerfile_inline ?? '')?.[1] ?? service.image;
      expect(base).toMatch(/:\d+\.\d+(\.\d+)?(-[a-z0-9-]+)*$/);
      for (const [, version] of (service.build?.dockerfile_inline ?? '').matchAll(/pip install .*? (\S+)$/gm)) {
        expect(version).toMatch(/==|requirements\.txt/);
      }
      for (const volume of service.volumes ?? []) expect(volumes).toHaveProperty(volume.split(':')[0] ?? '');
    },
  );

  it("keeps Redis from losing jobs, speaks psycopg2 to PostgreSQL and has RabbitMQ's management API", () => {
    expect(services['redis']?.command).toEqual(expect.arrayContaining(['noeviction', 'yes']));
    expect(services['mlflow']?.command?.join(' ')).toContain('postgresql+psycopg2://');
    expect(services['mlflow']?.command).toContain('--allowed-hosts');
    expect(services['rabbitmq']?.image).toMatch(/-management$/);
  });

  it('runs the same MLflow as the tests', () => {
    const requirements = readFileSync(new URL('../support/requirements.txt', import.meta.url), 'utf8');
    const pinned = /^mlflow==(\S+)$/m.exec(requirements)?.[1];
    expect(services['mlflow']?.build?.dockerfile_inline).toContain(`mlflow==${pinned}`);
  });
});
