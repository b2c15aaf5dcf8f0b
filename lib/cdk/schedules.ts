import { Aws, Duration } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Schedule, ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { useKey } from './permissions.ts';

export interface FunctionScheduleProps {
  readonly description: string;
  readonly function: IFunction;
  /** What the function is called with. */
  readonly event: Readonly<Record<string, string>>;
  readonly interval: Duration;
  readonly deadLetterQueue: IQueue;
  readonly encryptionKey?: IKey | undefined;
}

/** Calls one function every so often, by a role that can do nothing else. */
export class FunctionSchedule extends Construct {
  readonly schedule: Schedule;
  readonly role: Role;

  constructor(scope: Construct, id: string, props: FunctionScheduleProps) {
    super(scope, id);
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        // Nobody else's schedule may borrow the role.
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
      description: props.description,
    });
    this.role.addToPolicy(
      new PolicyStatement({
        sid: 'CallFunction',
        actions: ['lambda:InvokeFunction'],
        resources: [props.function.functionArn],
      }),
    );
    this.role.addToPolicy(
      new PolicyStatement({
        sid: 'KeepWhatCouldNotBeCalled',
        actions: ['sqs:SendMessage'],
        resources: [props.deadLetterQueue.queueArn],
      }),
    );
    if (props.encryptionKey !== undefined) {
      this.role.addToPolicy(useKey(props.encryptionKey, ['sqs']));
    }
    this.schedule = new Schedule(this, 'Schedule', {
      description: props.description,
      schedule: ScheduleExpression.rate(props.interval),
      target: {
        // Not the L2 target, which would allow every version and alias of the function too.
        bind: () => ({
          arn: props.function.functionArn,
          role: this.role,
          input: ScheduleTargetInput.fromObject(props.event),
          deadLetterConfig: { arn: props.deadLetterQueue.queueArn },
          // What is late by more than an interval is the next one's work.
          retryPolicy: {
            maximumEventAgeInSeconds: Math.max(
              60,
              Math.min(props.interval.toSeconds(), Duration.days(1).toSeconds()),
            ),
            maximumRetryAttempts: 3,
          },
        }),
      },
    });
  }
}
