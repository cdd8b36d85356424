import {
  All,
  Controller,
  Inject,
  MethodNotAllowedException,
  NotFoundException,
  Req,
  Res,
  type Type,
} from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/constants.js';
import { HttpAdapterHost } from '@nestjs/core';
import { ApiExcludeController } from '@nestjs/swagger';
import { pathOf, type ApiRequest } from '../http/api-request.js';
import { HubApiDocument } from '../openapi/api-document.js';

/**
 * A controller for everything below the base path that is no endpoint. As a route of its own it is behind the same guards,
 * so that an answer does not tell strangers what exists. A class for each import of the module: its route is written
 * differently for each adapter, see {@link catchAll}. @internal
 */
export function createUnknownPathController(): Type {
  @ApiExcludeController()
  @Controller()
  class HubApiUnknownPathController {
    constructor(
      @Inject(HubApiDocument) private readonly document: HubApiDocument,
      @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    ) {}

    @All()
    refuse(@Req() request: ApiRequest, @Res({ passthrough: true }) response: object): never {
      const methods = this.document.methodsOf(pathOf(request));
      // One that takes the method has no route for another reason: Fastify does not match parameters over maxParamLength.
      if (methods.length === 0 || methods.includes(request.method)) {
        throw new NotFoundException('There is no such path.');
      }
      this.host.httpAdapter.setHeader(response, 'Allow', methods.join(', '));
      throw new MethodNotAllowedException(`This path takes ${methods.join(', ')}.`);
    }
  }
  return HubApiUnknownPathController;
}

/** Makes the controller's route fit every path, in the language of the adapter. Before Nest registers routes. @internal */
export function catchAll(controller: Type, adapter: string): void {
  const { refuse } = controller.prototype as { refuse: object };
  Reflect.defineMetadata(PATH_METADATA, ['/', adapter === 'fastify' ? '*' : '{*path}'], refuse);
}
