import type { Digest } from '../model/ids.ts';

/** Immutable bytes by digest (S3). An artefact that is gone is rebuilt by waking its source. */
export interface ArtefactStore {
  has(digest: Digest): Promise<boolean>;
  /** Idempotent: the key is the content's digest. */
  put(digest: Digest, bytes: Uint8Array): Promise<void>;
  /** undefined when it is gone; throws `git-corrupt` when the bytes do not have this digest. */
  get(digest: Digest): Promise<Uint8Array | undefined>;
}
