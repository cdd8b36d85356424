// The empty projects that the packed tarball is installed into.

const typescript = (version) => ({ typescript: version, '@types/node': '^20', '@types/express': '^5' });

function nest(major, config) {
  return {
    '@nestjs/common': `^${major}`,
    '@nestjs/core': `^${major}`,
    '@nestjs/platform-express': `^${major}`,
    '@nestjs/platform-fastify': `^${major}`,
    '@nestjs/config': config,
    '@nestjs/terminus': '^12.1',
    joi: '^18.3',
    'reflect-metadata': '^0.2',
    rxjs: '^7.8',
  };
}

function jest(major) {
  return {
    '@jest/globals': '^30',
    '@nestjs/testing': `^${major}`,
    '@swc/core': '^1.16',
    '@swc/jest': '^0.2',
    jest: '^30',
  };
}

/** name → what stands in its package.json, and the folder of `apps/` with its main file. */
export const projects = {
  'nest12-esm': {
    app: 'esm',
    type: 'module',
    dependencies: nest(12, '^12.0'),
    devDependencies: typescript('~6.0'),
  },
  'nest11-esm': {
    app: 'esm',
    type: 'module',
    dependencies: nest(11, '^12.0'),
    devDependencies: typescript('~5.9'),
  },
  'nest11-cjs': {
    app: 'cjs',
    type: 'commonjs',
    dependencies: nest(11, '^4.0'),
    devDependencies: { ...typescript('~5.9'), ...jest(11) },
    jest: true,
  },
  'nest12-cjs': {
    app: 'cjs',
    type: 'commonjs',
    dependencies: nest(12, '^12.0'),
    devDependencies: { ...typescript('~6.0'), ...jest(12) },
    jest: true,
  },
};

/** Node versions by major; each comes from the npm package `node`. */
export const nodes = ['20', '22', '24'];
