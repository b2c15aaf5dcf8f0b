import type { Sandbox } from '../../render/sandbox.ts';
import { type Finding, ok, warning } from './finding.ts';

/** How far kustomize and helm are cut off on this machine, where a local installation renders. */
export function checkRenderer({ isolation, limitsMemory }: Sandbox): Finding {
  const memory = limitsMemory
    ? 'the kernel limits their memory'
    : 'their memory is looked at 20 times a second';
  const message: Readonly<Record<Sandbox['isolation'], string>> = {
    isolated: 'tools run without network and without sight of other processes',
    'no-network': 'tools run without network, and see the processes of this user',
    none: 'tools run with the network and the processes of this user in reach',
  };
  if (isolation !== 'none') return ok('renderer', 'sandbox', `${message[isolation]}; ${memory}`);
  return warning(
    'renderer',
    'sandbox',
    `${message.none}; ${memory}`,
    'render only what you trust here, or allow user namespaces (docs/rendering-security.md)',
  );
}
