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

/** The HTTP API, whose peer is optional. */
function api(major, config, version) {
  return {
    app: 'api',
    type: 'module',
    optional: ['@nestjs/swagger'],
    says: ['express: ok', 'fastify: ok'],
    dependencies: { ...nest(major, config), '@nestjs/swagger': `^${major}` },
    devDependencies: typescript(version),
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

/**
 * name → what stands in its package.json, the folder of `apps/` with its main file, the `optional` peers that it has, and
 * what its application `says`.
 */
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
  'nest11-api': api(11, '^12.0', '~5.9'),
  'nest12-api': api(12, '^12.0', '~6.0'),
};

/** Node versions by major; each comes from the npm package `node`. */
export const nodes = ['20', '22', '24'];
