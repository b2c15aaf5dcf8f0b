import type { Sequence } from '../support/sequence.ts';
import { CUSTOM } from './custom.ts';
import { KINDS } from './kinds.ts';
import { LIFECYCLE } from './lifecycle.ts';
import { LISTS } from './lists.ts';
import { OWNERSHIP } from './ownership.ts';

export const SEQUENCES: readonly Sequence[] = [...OWNERSHIP, ...LISTS, ...LIFECYCLE, ...KINDS, ...CUSTOM];
