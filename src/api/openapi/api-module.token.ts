/** Injects the class of the API's module, which the scan for the document is narrowed to. @internal */
export const HUB_API_MODULE = Symbol.for('nestjs-experiment-hub.HUB_API_MODULE');
