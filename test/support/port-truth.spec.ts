import { describe, expect, it } from 'vitest';
import { neededService } from './needed-service.js';
import { serverAnswers } from './port-truth.js';
import { TcpProxy } from './tcp-proxy.js';

const rabbitmq = neededService('rabbitmq');
const redis = neededService('redis');

describe('the truth about a port', () => {
  for (const [kind, service] of [
    ['rabbitmq', rabbitmq],
    ['redis', redis],
  ] as const) {
    it.skipIf(service.missing)(
      `a ${kind} that answers, is silent, refuses, or is something else${service.note}`,
      async () => {
        const { hostname, port } = new URL(service.address);
        const proxy = await TcpProxy.start(Number(port), hostname);
        try {
          expect(await serverAnswers(kind, proxy.port)).toBe(true);
          expect(await serverAnswers(kind === 'redis' ? 'rabbitmq' : 'redis', proxy.port)).toBe(false);
          proxy.freeze();
          expect(await serverAnswers(kind, proxy.port)).toBe(false);
          proxy.refuse();
          expect(await serverAnswers(kind, proxy.port)).toBe(false);
        } finally {
          proxy.stop();
        }
      },
    );
  }
});
