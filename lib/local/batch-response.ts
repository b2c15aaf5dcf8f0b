import * as z from 'zod/mini';

const responseSchema = z.nullish(
  z.looseObject({
    batchItemFailures: z.nullish(z.array(z.object({ itemIdentifier: z.string().check(z.minLength(1)) }))),
  }),
);

export type BatchVerdict =
  | { readonly kind: 'partial'; readonly failed: ReadonlySet<string> }
  /** The whole batch counts as failed. */
  | { readonly kind: 'malformed' };

/**
 * Reads what a handler returned, as the event source mapping does with ReportBatchItemFailures: nothing, `{}` or an
 * empty list is success of all; anything else than a list of message ids of this batch is failure of all.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
export function readBatchResponse(response: unknown, messageIds: ReadonlySet<string>): BatchVerdict {
  const read = responseSchema.safeParse(response);
  if (!read.success) {
    return { kind: 'malformed' };
  }
  const failed = new Set((read.data?.batchItemFailures ?? []).map((failure) => failure.itemIdentifier));
  return [...failed].every((id) => messageIds.has(id)) ? { kind: 'partial', failed } : { kind: 'malformed' };
}
