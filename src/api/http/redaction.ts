import { Inject, Injectable } from '@nestjs/common';
import { PluginRegistry } from '../../core/plugin-registry.js';
import { Redactor } from '../../core/redact.js';
import { HUB_API_OPTIONS, type ResolvedHubApiOptions } from '../api.options.js';

/** Removes the secrets of every plugin, and the API's own tokens, from what the API tells. @internal */
@Injectable()
export class HubApiRedaction {
  readonly #own: Redactor;

  constructor(
    @Inject(PluginRegistry) private readonly registry: PluginRegistry,
    @Inject(HUB_API_OPTIONS) { auth }: ResolvedHubApiOptions,
  ) {
    this.#own = new Redactor(typeof auth === 'object' && 'bearerTokens' in auth ? auth.bearerTokens : []);
    registry.logger.hide(this.#own);
  }

  /** `value` without secrets. */
  text = (value: string): string =>
    this.registry.entries.reduce((text, { policy }) => policy.redactor.text(text), this.#own.text(value));

  /** A copy of a map of texts without secrets. */
  texts(map: Readonly<Record<string, string>>): Record<string, string> {
    return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, this.text(value)]));
  }

  /** Writes a fault of the server to the hub's log, without secrets. */
  log(message: string): void {
    this.registry.logger.error(this.text(message));
  }
}
