import { Controller, Get, Inject } from '@nestjs/common';
import { ApiExcludeController, type OpenAPIObject } from '@nestjs/swagger';
import { HubApiDocument } from '../openapi/api-document.js';

/** The OpenAPI document, for those who may call the API. @internal */
@ApiExcludeController()
@Controller()
export class HubApiDocumentController {
  constructor(@Inject(HubApiDocument) private readonly document: HubApiDocument) {}

  @Get('openapi.json')
  get(): OpenAPIObject {
    return this.document.value;
  }
}
