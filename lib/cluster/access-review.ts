import type { ConnectOptions } from './connect-kube.ts';
import { malformed, parse, recordOf } from './read-live.ts';
import { createTransport } from './transport.ts';

export interface AccessQuestion {
  readonly verb: string;
  readonly group: string;
  /** Plural. */
  readonly resource: string;
  /** Absent: in all namespaces, or of the cluster. */
  readonly namespace?: string;
}

/** Asks a cluster what a credential may do there. Changes nothing. */
export interface AccessReviewer {
  /** @throws KubeError */
  isAllowed(question: AccessQuestion): Promise<boolean>;
  close(): Promise<void>;
}

const PATH = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';

/** By SelfSubjectAccessReview, which every authenticated user may create. */
export function createAccessReviewer(options: ConnectOptions): AccessReviewer {
  const transport = createTransport({ ...options, cluster: options.name });
  return {
    async isAllowed({ verb, group, resource, namespace }) {
      const context = {
        what: `ask whether ${verb} ${resource}${group === '' ? '' : `.${group}`} is allowed`,
        cluster: options.name,
        sensitive: false,
      };
      const resourceAttributes = { verb, group, resource, ...(namespace === undefined ? {} : { namespace }) };
      const answer = await transport.send({
        method: 'POST',
        path: PATH,
        contentType: 'application/json',
        body: JSON.stringify({
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SelfSubjectAccessReview',
          spec: { resourceAttributes },
        }),
        context,
        onSend: () => undefined,
      });
      const allowed = recordOf(recordOf(parse(answer.body, context))?.['status'])?.['allowed'];
      if (typeof allowed !== 'boolean') throw malformed(context, 'has no status.allowed');
      return allowed;
    },
    close: () => transport.close(),
  };
}
