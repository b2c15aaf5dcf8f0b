import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { composeWebhookFromEnvironment } from '../../lib/compose/webhook.ts';
import {
  type ReceiveWebhookDeps,
  receiveWebhook,
  type WebhookRequest,
  type WebhookResult,
} from '../../lib/webhook/receive-webhook.ts';

export type WebhookHandler = (event: APIGatewayProxyEventV2) => Promise<APIGatewayProxyStructuredResultV2>;

/** The function over given dependencies: local mode and the tests enter here. */
export function createHandler(deps: ReceiveWebhookDeps): WebhookHandler {
  return async (event) => toResponse(await receiveWebhook(deps, toRequest(event)));
}

let composed: WebhookHandler | undefined;

/** The Lambda function. Composed at the first event, so that importing it needs no environment. */
export const handler: WebhookHandler = (event) => {
  composed ??= createHandler(composeWebhookFromEnvironment(process.env));
  return composed(event);
};

function toRequest(event: APIGatewayProxyEventV2): WebhookRequest {
  return {
    sourceId: event.pathParameters?.['sourceId'] ?? '',
    headers: event.headers,
    sourceIp: event.requestContext?.http?.sourceIp ?? '',
    body: Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8'),
  };
}

function toResponse(result: WebhookResult): APIGatewayProxyStructuredResultV2 {
  switch (result.kind) {
    case 'accepted':
      return respond(202, { status: 'accepted' });
    case 'ignored':
      // 2xx, because Git hosts disable a hook that fails too often.
      return respond(202, { status: 'ignored', reason: result.reason });
    case 'unauthorized':
      return respond(401, { status: 'unauthorized' });
    case 'forbidden':
      return respond(403, { status: 'forbidden' });
    case 'too-large':
      return respond(413, { status: 'too-large', maxBodyBytes: result.maxBodyBytes });
    case 'malformed':
      return respond(400, { status: 'malformed', reason: result.reason });
    case 'unavailable':
      return respond(503, { status: 'unavailable' });
  }
}

function respond(
  statusCode: number,
  body: Readonly<Record<string, unknown>>,
): APIGatewayProxyStructuredResultV2 {
  return {
    statusCode,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify(body),
  };
}
