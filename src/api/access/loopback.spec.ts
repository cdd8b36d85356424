import { describe, expect, it } from 'vitest';
import { refusalOf } from './loopback.js';

const local = { host: 'localhost:3000' };
const ask = (headers: Record<string, string>, method = 'GET', peer: string | undefined = '127.0.0.1') =>
  refusalOf({ method, peer, headers });

describe('requests without authentication', () => {
  it.each(['localhost', 'localhost:3000', '127.0.0.1:3000', '127.1.2.3', '[::1]:3000'])('serves Host %s', (host) => {
    expect(ask({ host })).toBeUndefined();
  });

  it.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1:3000',
    'user@localhost',
    'localhost/x',
    '',
    '[::2]',
    '0.0.0.0',
  ])('refuses Host %j', (host) => {
    expect(ask({ host })).toContain('Host');
  });

  it('refuses a request without Host', () => {
    expect(ask({})).toContain('Host');
  });

  it.each(['127.0.0.1', '::1', '::ffff:127.0.0.1'])('serves the peer %s', (peer) => {
    expect(ask(local, 'GET', peer)).toBeUndefined();
  });

  it.each(['10.0.0.1', '::ffff:10.0.0.1', 'fe80::1', '::ffff:127.0.0.1.evil', ''])('refuses the peer %j', (peer) => {
    expect(ask(local, 'GET', peer)).toContain('this machine');
  });

  it('refuses a peer that is not known', () => {
    expect(refusalOf({ method: 'GET', peer: undefined, headers: local })).toContain('this machine');
  });

  it.each(['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'])('refuses what a proxy passes on by %s', (name) => {
    expect(ask({ ...local, [name]: '10.0.0.1' })).toContain('proxy');
  });

  it('serves its own pages and refuses those of another origin, null included', () => {
    expect(ask({ ...local, origin: 'http://localhost:3000' }, 'POST')).toBeUndefined();
    for (const origin of ['http://localhost:3001', 'https://evil.example', 'null', '']) {
      expect(ask({ ...local, origin }, 'GET'), origin).toContain('another origin');
    }
  });

  it('refuses changes that a browser says are of another site, and serves its navigations', () => {
    for (const site of ['cross-site', 'same-site']) {
      expect(ask({ ...local, 'sec-fetch-site': site }, 'POST')).toContain('another site');
      expect(ask({ ...local, 'sec-fetch-site': site }, 'GET')).toBeUndefined();
    }
    for (const site of ['same-origin', 'none'])
      expect(ask({ ...local, 'sec-fetch-site': site }, 'POST')).toBeUndefined();
  });
});
