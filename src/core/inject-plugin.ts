import { Inject } from '@nestjs/common';
import type { HubPlugin } from './plugin.js';
import { getPluginToken } from './plugin-module.js';

/** Injects a named plugin, one whose module was imported with `name`. The unnamed one is injected by its class. */
export function InjectPlugin(
  token: abstract new (...args: never[]) => HubPlugin,
  name?: string,
): PropertyDecorator & ParameterDecorator {
  return Inject(getPluginToken(token, name));
}
