import type { SourceId } from './ids.ts';

/** Git hosts whose webhooks are understood. A further one is a file in lib/webhook and a row in its table. */
export type WebhookProvider = 'github' | 'generic';

/** A registered Git repository. Credentials are secret *names*, never values. */
export interface Source {
  readonly schema: 1;
  readonly id: SourceId;
  /** https://…, without user info. http:// only with `allowHttp`. */
  readonly url: string;
  readonly provider: WebhookProvider;
  /** Names in the role `webhook`; two during a rotation. Never empty: a source without a secret takes no webhooks. */
  readonly webhookSecrets: readonly string[];
  /** Name in the role `git`; its value is JSON {"token"} or {"username","password"}. Absent: anonymous. */
  readonly gitSecret?: string;
  readonly allowHttp?: boolean;
  /** Allows hosts that resolve to loopback, link-local or private addresses. */
  readonly allowPrivateNetwork?: boolean;
}

/** `branch`, `tag` or an exact `commit`. */
export type GitRef =
  | { readonly kind: 'branch'; readonly name: string }
  | { readonly kind: 'tag'; readonly name: string }
  | { readonly kind: 'commit'; readonly sha: string };

/** `refs/heads/main`, `refs/tags/v1`, or the sha itself: the key under which a source's wanted revisions are kept. */
export function refKey(ref: GitRef): string {
  switch (ref.kind) {
    case 'branch':
      return `refs/heads/${ref.name}`;
    case 'tag':
      return `refs/tags/${ref.name}`;
    case 'commit':
      return ref.sha;
  }
}
