/** Header names in lower case; a header sent twice arrives joined by ','. */
export type WebhookHeaders = Readonly<Record<string, string | undefined>>;

/** A well-formed signature that a request presents; whether it is right takes the secret. Compares in constant time. */
export type Proof = (body: Uint8Array, secret: string) => boolean;

/** What a delivery with a valid signature says. */
export type Delivery =
  /** `after`: the commit that the ref now points to, where the host says so. */
  | { readonly kind: 'push'; readonly ref: string; readonly after?: string }
  /** Something changed; the host does not say what. */
  | { readonly kind: 'change' }
  | { readonly kind: 'other'; readonly reason: string }
  | { readonly kind: 'malformed'; readonly reason: string };

/** What Holdfast knows about one kind of Git host. The provider is the source's, never guessed from headers. */
export interface WebhookHost {
  /** undefined: no signature, or none that is well formed. */
  readProof(headers: WebhookHeaders): Proof | undefined;
  /** Called with verified bytes only. Reads refs and commits; never a URL. */
  readDelivery(headers: WebhookHeaders, body: Uint8Array): Delivery;
  /** The header with the host's own id of the delivery; it is not covered by the signature and serves the log only. */
  readonly deliveryIdHeader?: string;
}
