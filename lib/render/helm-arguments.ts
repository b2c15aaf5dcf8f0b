import { HoldfastError } from '../model/errors.ts';
import type { Application } from '../model/application.ts';
import type { RenderInput } from './renderer.ts';

const RELEASE_NAME = /^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$/;
const NAMESPACE = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const KUBE_VERSION = /^v?\d+\.\d+(?:\.\d+)?(?:[-+][0-9A-Za-z.+-]*)?$/;
const API_VERSION = /^[A-Za-z0-9][A-Za-z0-9./-]*$/;

/**
 * As helm limits it: what is named after it gets a suffix, and most names end at 63 characters.
 * @throws HoldfastError `render-refused`
 */
export function releaseNameOf(application: Application): string {
  const name = application.render.releaseName ?? application.name;
  if (!RELEASE_NAME.test(name) || name.length > 53) {
    throw new HoldfastError(
      'render-refused',
      `release name ${JSON.stringify(name.slice(0, 80))}: expected at most 53 lower-case letters, digits, dashes and dots; set spec.render.releaseName`,
    );
  }
  return name;
}

/**
 * Namespace, CRDs and capabilities, checked: they come from definitions and from clusters.
 * @throws HoldfastError `render-refused`
 */
export function helmArguments(input: RenderInput): readonly string[] {
  const { application } = input;
  const { helm } = application.render;
  const kubeVersion = helm?.kubeVersion ?? input.kubeVersion;
  const apiVersions = [...new Set([...(input.apiVersions ?? []), ...(helm?.apiVersions ?? [])])];
  const namespace = helm?.namespace ?? application.targetNamespace ?? 'default';
  if (!NAMESPACE.test(namespace)) {
    throw new HoldfastError(
      'render-refused',
      `namespace ${JSON.stringify(namespace.slice(0, 80))}: expected at most 63 lower-case letters, digits and dashes`,
    );
  }
  if (kubeVersion !== undefined && !KUBE_VERSION.test(kubeVersion)) {
    throw new HoldfastError(
      'render-refused',
      `Kubernetes version ${JSON.stringify(kubeVersion)}: expected one such as v1.35.2`,
    );
  }
  const odd = apiVersions.find((version) => !API_VERSION.test(version));
  if (odd !== undefined) {
    throw new HoldfastError(
      'render-refused',
      `API version ${JSON.stringify(odd)}: expected one such as apps/v1 or apps/v1/Deployment`,
    );
  }
  return [
    `--namespace=${namespace}`,
    ...(helm?.skipCrds === true ? [] : ['--include-crds']),
    ...(kubeVersion === undefined ? [] : [`--kube-version=${kubeVersion}`]),
    ...inPieces(apiVersions).map((piece) => `--api-versions=${piece.join(',')}`),
  ];
}

/** Linux takes no argument of more than 128 KiB, and a cluster may serve thousands of kinds. */
const VERSIONS_IN_ARGUMENT = 400;

function inPieces(versions: readonly string[]): readonly (readonly string[])[] {
  const pieces: (readonly string[])[] = [];
  for (let at = 0; at < versions.length; at += VERSIONS_IN_ARGUMENT)
    pieces.push(versions.slice(at, at + VERSIONS_IN_ARGUMENT));
  return pieces;
}
