// What another CDK app imports: `import { Holdfast } from 'holdfast'`.
export { ALARMS, type AlarmId, HoldfastAlarms, RUNBOOK } from './cdk/alarms.ts';
export { HoldfastDashboard } from './cdk/dashboard.ts';
export { type AddEksClusterOptions, EksAccess, type EksRole, type IEksCluster } from './cdk/eks-access.ts';
export { Holdfast } from './cdk/holdfast.ts';
export { HoldfastFunction, type VpcPlacement } from './cdk/holdfast-function.ts';
export { INSTALLATION_DIMENSION, METRIC_NAMESPACE } from './cdk/holdfast-metric.ts';
export type { ExistingQueue, FunctionOptions, HoldfastProps, StageOptions } from './cdk/holdfast-props.ts';
export { HoldfastStack, type HoldfastStackProps } from './cdk/holdfast-stack.ts';
export { FunctionSchedule } from './cdk/schedules.ts';
export { type WebhookDomain, WebhookEndpoint, type WebhookThrottle } from './cdk/webhook-endpoint.ts';
export { METRICS, type MetricName } from './model/metrics.ts';
