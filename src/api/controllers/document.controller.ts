import { Controller, Get, Inject } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { HubApiDocument, type HubApiOpenApi } from '../openapi/api-document.js';

/** The OpenAPI document, for those who may call the API. @internal */
@ApiExcludeController()
@Controller()
export class HubApiDocumentController {
  constructor(@Inject(HubApiDocument) private readonly document: HubApiDocument) {}

  @Get('openapi.json')
  get(): HubApiOpenApi {
    return this.document.value;
  }
}
