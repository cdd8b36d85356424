import { Module, type DynamicModule, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

/** A Nest application context of one module. */
export async function open(module: DynamicModule): Promise<INestApplicationContext> {
  @Module({ imports: [module] })
  class App {}
  return NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
}
