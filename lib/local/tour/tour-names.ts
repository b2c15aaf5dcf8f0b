/** Where one environment goes. */
export interface Place {
  readonly cluster: string;
  readonly namespace: string;
}

/** Names that the story uses; different ones let it happen twice on one cluster. */
export interface TourNames {
  readonly repository: string;
  readonly source: string;
  readonly root: string;
  /** Directory of the definitions in the repository. */
  readonly definitions: string;
  /** Namespace part of the applications' names. */
  readonly applications: string;
  readonly staging: Place;
  readonly production: Place;
}

/**
 * @param clusters registered names; both environments share one if there is only one
 * @param suffix of the namespaces
 */
export function tourNames(clusters: readonly [string, ...string[]], suffix = ''): TourNames {
  const [first, second = first] = clusters;
  return {
    repository: 'shop',
    source: 'shop',
    root: 'tour',
    definitions: `clusters/${first}`,
    applications: 'shop',
    staging: { cluster: first, namespace: `shop-staging${suffix}` },
    production: { cluster: second, namespace: `shop-production${suffix}` },
  };
}
