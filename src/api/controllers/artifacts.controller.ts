import { Controller, Inject, StreamableFile } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { ArtifactInfo } from '../../mlops/mlops.types.js';
import { HubError } from '../../core/errors.js';
import { isHubArtifact } from '../../experiment/experiment.tags.js';
import { HubApiAccess } from '../access/hub-access.js';
import { HUB_API_OPTIONS, type ResolvedHubApiOptions } from '../api.options.js';
import { attachmentHeader } from '../http/attachment.js';
import { downloadOf } from '../http/download.js';
import { Endpoint } from '../http/endpoint.js';
import { Input, type EndpointInput } from '../http/input.js';
import { pageOf, type Page, type PageQuery } from '../http/paging.js';
import { HubApiRedaction } from '../http/redaction.js';
import { artifactPage, artifactsQuery, contentQuery, runParams } from '../schemas/run.schemas.js';

interface RunParams {
  name: string;
  runId: string;
}

/** Artifacts of a run. Paths are query parameters: they hold slashes, and no proxy may tidy them up. @internal */
@ApiTags('artifacts')
@Controller('experiments/:name/runs/:runId/artifacts')
export class HubApiArtifactsController {
  constructor(
    @Inject(HubApiAccess) private readonly access: HubApiAccess,
    @Inject(HubApiRedaction) private readonly redaction: HubApiRedaction,
    @Inject(HUB_API_OPTIONS) private readonly options: ResolvedHubApiOptions,
  ) {}

  @Endpoint({
    method: 'GET',
    id: 'listArtifacts',
    summary: 'Lists files and folders directly below a folder. A missing folder has none.',
    params: runParams,
    query: artifactsQuery,
    answers: { 200: { description: 'A page of files and folders.', schema: artifactPage } },
  })
  async list(
    @Input() { params, query }: EndpointInput<RunParams, PageQuery & { path: string }>,
  ): Promise<Page<ArtifactInfo>> {
    const { runId } = await this.access.run(params.name, params.runId);
    const all = await this.access.mlops.listArtifacts(runId, query.path);
    const shown = all.filter(({ path }) => !isHubArtifact(path));
    const { items, next } = await pageOf(shown, query, this.options.limits.pageSize);
    return { items: items.map(({ path, isDirectory, fileSize }) => ({ path, isDirectory, fileSize })), next };
  }

  @Endpoint({
    method: 'GET',
    path: 'content',
    id: 'downloadArtifact',
    summary: 'Downloads one file.',
    params: runParams,
    query: contentQuery,
    answers: {
      200: {
        description: 'The bytes of the file.',
        media: 'application/octet-stream',
        headers: { 'Content-Disposition': 'attachment, with the name of the file (RFC 6266).' },
      },
    },
    problems: [502],
  })
  async content(@Input() { params, query }: EndpointInput<RunParams, { path: string }>): Promise<StreamableFile> {
    const { runId } = await this.access.run(params.name, params.runId);
    if (isHubArtifact(query.path)) {
      throw new HubError('NOT_FOUND', `run ${runId} has no artifact file ${JSON.stringify(query.path)}.`);
    }
    const content = await this.access.mlops.readArtifact(runId, query.path);
    return downloadOf(content, attachmentHeader(query.path), (error) =>
      this.redaction.log(`download of an artifact of run ${runId} broke off: ${error.message}`),
    );
  }
}
