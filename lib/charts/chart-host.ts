import type { FileTree } from '../source/file-tree.ts';

/** Which chart is wanted, as it is written in a definition or in a Chart.yaml. */
export interface ChartRequest {
  /** `https://…`: a chart repository with an index.yaml; `oci://…`: a registry, without the chart's name. */
  readonly repository: string;
  readonly name: string;
  /** A version or a range in the grammar of Masterminds/semver, as helm reads it. @default '*', the newest release */
  readonly version?: string;
  /** `sha256:…` of the archive, or of an OCI manifest: anything else is refused. */
  readonly digest?: string;
  /** Name of a secret in the role `chart`. @default anonymous; for Amazon ECR the function's own role */
  readonly credentials?: string;
}

/** A chart as it was published, unpacked. */
export interface FetchedChart {
  readonly name: string;
  /** What the range came to. */
  readonly version: string;
  /** `sha256:…` of the archive's bytes, checked. */
  readonly digest: string;
  /** Of an OCI artefact: what ChartRequest.digest can pin, beside the archive's. */
  readonly manifestDigest?: string;
  /** Relative to the chart's own directory: `Chart.yaml`, `templates/…`. */
  readonly files: FileTree;
}

/** Chart repositories and registries. Throws HoldfastError with the chart-* codes. */
export interface ChartHost {
  /** Looks the version up again each time (indexes are asked with their ETag); archives are kept by digest. */
  fetch(request: ChartRequest): Promise<FetchedChart>;
  close(): Promise<void>;
}
