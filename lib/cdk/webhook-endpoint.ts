import { type RemovalPolicy, Validations } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import {
  HttpApi,
  HttpMethod,
  HttpStage,
  type IDomainName,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

const PATH = '/hooks/{sourceId}';

export interface WebhookDomain {
  /** With its certificate; the DNS record that points at it is yours. */
  readonly domainName: IDomainName;
  /** @default the root of the domain */
  readonly mappingKey?: string;
}

export interface WebhookThrottle {
  /** Requests a second over time. */
  readonly rateLimit: number;
  /** Requests at once. */
  readonly burstLimit: number;
}

export interface WebhookEndpointProps {
  readonly webhook: IFunction;
  readonly throttle: WebhookThrottle;
  readonly domain?: WebhookDomain | undefined;
  readonly logRetention: RetentionDays;
  readonly logRemovalPolicy: RemovalPolicy;
  readonly encryptionKey?: IKey | undefined;
}

/** `POST /hooks/{sourceId}` on an HTTP API: throttled, logged, and nothing else on it. */
export class WebhookEndpoint extends Construct {
  readonly api: HttpApi;
  readonly stage: HttpStage;
  readonly accessLog: LogGroup;
  /** Webhooks go to `<webhookUrl>/<source id>`. */
  readonly webhookUrl: string;

  constructor(scope: Construct, id: string, props: WebhookEndpointProps) {
    super(scope, id);
    this.accessLog = new LogGroup(this, 'AccessLog', {
      retention: props.logRetention,
      removalPolicy: props.logRemovalPolicy,
      ...(props.encryptionKey === undefined ? {} : { encryptionKey: props.encryptionKey }),
    });
    this.api = new HttpApi(this, 'Api', {
      description: 'Holdfast: webhooks of Git hosts',
      createDefaultStage: false,
      // Two doors would be two throttles.
      disableExecuteApiEndpoint: props.domain !== undefined,
    });
    const routes = this.api.addRoutes({
      path: PATH,
      methods: [HttpMethod.POST],
      integration: new HttpLambdaIntegration('Webhook', props.webhook),
    });
    for (const route of routes) {
      Validations.of(route).acknowledge({
        id: 'AwsSolutions-APIG4',
        reason:
          'Git hosts cannot sign for an authorizer of AWS: the function verifies their signature over the raw body before it reads a byte of it, and answers everything else with one constant 401.',
      });
    }
    this.stage = new HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      detailedMetricsEnabled: true,
      throttle: props.throttle,
      accessLogSettings: {
        destination: new LogGroupLogDestination(this.accessLog),
        format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG)),
      },
      ...(props.domain === undefined ? {} : { domainMapping: props.domain }),
    });
    this.webhookUrl = `${this.stageUrl(props.domain)}hooks`;
  }

  private stageUrl(domain: WebhookDomain | undefined): string {
    const url = domain === undefined ? this.stage.url : this.stage.domainUrl;
    return url.endsWith('/') ? url : `${url}/`;
  }
}

/** The route, not the path: a source's id is no secret, but it need not lie about either. */
const ACCESS_LOG = {
  requestId: '$context.requestId',
  requestTime: '$context.requestTime',
  sourceIp: '$context.identity.sourceIp',
  userAgent: '$context.identity.userAgent',
  routeKey: '$context.routeKey',
  status: '$context.status',
  responseLength: '$context.responseLength',
  responseLatencyMs: '$context.responseLatency',
  integrationStatus: '$context.integrationStatus',
  integrationError: '$context.integrationErrorMessage',
} as const;
