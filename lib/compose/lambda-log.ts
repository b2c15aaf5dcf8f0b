import type { Log, LogFields } from '../model/log.ts';
import { createJsonLog } from './json-log.ts';

/**
 * The log of a Lambda function: JSON lines on standard output, each with the function's name and the X-Ray trace of the
 * invocation, by which the lines of one push are found across functions that share a trace.
 */
export function createLambdaLog(name: string, write?: (line: string) => void): Log {
  return createJsonLog(write, { function: name }, undefined, traceOf);
}

/** The runtime sets the variable anew for each invocation: `Root=1-…;Parent=…;Sampled=1`. */
function traceOf(): LogFields {
  const root = /(?:^|;)Root=([0-9a-fA-F-]{1,64})/.exec(process.env['_X_AMZN_TRACE_ID'] ?? '')?.[1];
  return root === undefined ? {} : { trace: root };
}
