import { describe, expect, it } from 'vitest';
import { attachmentHeader } from './attachment.js';

describe('attachmentHeader', () => {
  it.each([
    ['model/model.json', `attachment; filename="model.json"; filename*=UTF-8''model.json`],
    ['a b.txt', `attachment; filename="a b.txt"; filename*=UTF-8''a%20b.txt`],
    ['größe.csv', `attachment; filename="gr__e.csv"; filename*=UTF-8''gr%C3%B6%C3%9Fe.csv`],
    [`x"y\\z%.bin`, `attachment; filename="x_y_z_.bin"; filename*=UTF-8''x%22y%5Cz%25.bin`],
    [`it's (1)*.txt`, `attachment; filename="it's (1)*.txt"; filename*=UTF-8''it%27s%20%281%29%2A.txt`],
    ['\r\nSet-Cookie: a=b', `attachment; filename="__Set-Cookie: a=b"; filename*=UTF-8''%0D%0ASet-Cookie%3A%20a%3Db`],
    ['\ud800.txt', `attachment; filename="_.txt"; filename*=UTF-8''_.txt`],
  ])('%j', (path, header) => {
    expect(attachmentHeader(path)).toBe(header);
  });
});
