import { type Properties, type Resolve, resourcesOf, type Template } from './template.ts';

/** What calls functions, as the template wires it. */
export interface QueueTrigger {
  readonly functionId: string;
  readonly queueUrl: string;
  readonly queueArn: string;
  readonly batchSize: number;
  readonly maxConcurrency: number | undefined;
}

export interface ScheduleTrigger {
  readonly scheduleId: string;
  readonly functionId: string;
  readonly expression: string;
  readonly event: unknown;
  /** The role in whose name the scheduler calls. */
  readonly roleId: string;
}

type GetAtt = { readonly 'Fn::GetAtt': readonly [string, string] };

/** @throws Error for a mapping without partial batch responses, or with what the box does not do */
export function readQueueTriggers(template: Template, resolve: Resolve): readonly QueueTrigger[] {
  return resourcesOf(template, 'AWS::Lambda::EventSourceMapping').map(([id, properties]) => {
    const responses = properties['FunctionResponseTypes'] as readonly string[] | undefined;
    if (!responses?.includes('ReportBatchItemFailures')) throw new Error(`${id} reports no partial failures`);
    const queueId = (properties['EventSourceArn'] as GetAtt)['Fn::GetAtt'][0];
    const scaling = properties['ScalingConfig'] as { readonly MaximumConcurrency?: number } | undefined;
    return {
      functionId: refOf(properties['FunctionName']),
      queueUrl: String(resolve({ Ref: queueId })),
      queueArn: String(resolve({ 'Fn::GetAtt': [queueId, 'Arn'] })),
      batchSize: Number(properties['BatchSize'] ?? 10),
      maxConcurrency: scaling?.MaximumConcurrency,
    };
  });
}

export function readScheduleTriggers(template: Template): readonly ScheduleTrigger[] {
  return resourcesOf(template, 'AWS::Scheduler::Schedule').map(([scheduleId, properties]) => {
    const target = properties['Target'] as Properties;
    return {
      scheduleId,
      functionId: refOf(target['Arn']),
      expression: String(properties['ScheduleExpression']),
      event: JSON.parse(String(target['Input'])) as unknown,
      roleId: refOf(target['RoleArn']),
    };
  });
}

/** The function behind a route of the HTTP API. @throws Error when the route is not there or may not call it */
export function readRoute(template: Template, routeKey: string): string {
  const route = resourcesOf(template, 'AWS::ApiGatewayV2::Route').find(
    ([, properties]) => properties['RouteKey'] === routeKey,
  );
  if (route === undefined) throw new Error(`the template has no route "${routeKey}"`);
  const target = JSON.stringify(route[1]['Target']);
  const integration = resourcesOf(template, 'AWS::ApiGatewayV2::Integration').find(([id]) =>
    target.includes(`"Ref":"${id}"`),
  );
  if (integration === undefined) throw new Error(`route "${routeKey}" leads to no integration`);
  if (integration[1]['PayloadFormatVersion'] !== '2.0')
    throw new Error('the webhook reads events of version 2.0');
  const functionId = refOf(integration[1]['IntegrationUri']);
  const mayInvoke = resourcesOf(template, 'AWS::Lambda::Permission').some(
    ([, properties]) =>
      properties['Principal'] === 'apigateway.amazonaws.com' &&
      refOf(properties['FunctionName']) === functionId,
  );
  if (!mayInvoke) throw new Error(`API Gateway may not invoke ${functionId}`);
  return functionId;
}

/** The logical id behind `{Ref}` or `{Fn::GetAtt: [id, 'Arn']}`. */
function refOf(value: unknown): string {
  const { Ref: ref, 'Fn::GetAtt': attribute } = value as { readonly Ref?: string } & Partial<GetAtt>;
  const found = ref ?? attribute?.[0];
  if (found === undefined) throw new Error(`not a reference: ${JSON.stringify(value)}`);
  return found;
}
