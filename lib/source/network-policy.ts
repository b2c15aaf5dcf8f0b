import { lookup as systemLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { HoldfastError } from '../model/errors.ts';

export type ResolveHost = (
  hostname: string,
  options: LookupOptions & { readonly all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** What to throw for a host that may not be connected to; says how to allow it. */
export type RefuseHost = (hostname: string) => HoldfastError;

/**
 * Addresses that no public server has: the special-purpose registries of IANA (RFC 6890 and its successors),
 * among them loopback, link-local with the metadata services, private and shared ranges, multicast and reserved ones.
 */
// Two lists, because in one a rule for IPv6 also matches the IPv4 addresses that are mapped into its range.
const INTERNAL_V4 = new BlockList();
const INTERNAL_V6 = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  INTERNAL_V4.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  // All but 2000::/3, which is what is allocated to the public, and the translations of IPv4 below.
  ['::', 3],
  ['4000::', 2],
  ['8000::', 1],
  // Inside 2000::/3: Teredo, benchmarking, ORCHID, documentation, 6to4 (carries any IPv4 address).
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  INTERNAL_V6.addSubnet(network, prefix, 'ipv6');
}
/** NAT64: how a host with IPv6 only reaches the public IPv4; the address inside is what counts. */
const NAT64_PREFIX = '64:ff9b:0:0:0:0:';

/** @param address IPv4 or IPv6, without brackets; anything else counts as internal */
export function isInternalAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return true;
  if (family === 4) return INTERNAL_V4.check(address, 'ipv4');
  const embedded = embeddedIPv4(address);
  if (embedded !== undefined) return INTERNAL_V4.check(embedded, 'ipv4');
  const withoutZone = address.replace(/%.*$/, '');
  return INTERNAL_V6.check(withoutZone, 'ipv6');
}

/** The IPv4 address in a v4-mapped (::ffff:a.b.c.d) or NAT64 (64:ff9b::a.b.c.d) one, in whatever spelling. */
function embeddedIPv4(address: string): string | undefined {
  const groups = expandIPv6(address);
  const prefix = groups
    .slice(0, 6)
    .map((group) => `${group.toString(16)}:`)
    .join('');
  if (prefix !== '0:0:0:0:0:ffff:' && prefix !== NAT64_PREFIX) return undefined;
  const [high = 0, low = 0] = groups.slice(6);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function expandIPv6(address: string): number[] {
  const dotted = address
    .replace(/%.*$/, '')
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a: string, b: string, c: string, d: string) =>
      [(Number(a) << 8) | Number(b), (Number(c) << 8) | Number(d)].map((n) => n.toString(16)).join(':'),
    );
  const [head = '', tail] = dotted.split('::');
  const parse = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const left = parse(head);
  const right = tail === undefined ? [] : parse(tail);
  return [...left, ...Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0), ...right];
}

/**
 * The look-up of a socket: it gives only addresses that may be connected to, so the decision is about the very address
 * that is used, and a name that changes its answer between two look-ups gains nothing.
 */
export function guardedLookup(options: {
  readonly resolve?: ResolveHost | undefined;
  readonly allowInternal: boolean;
  /** The error for a host that has internal addresses only. @default that of a Git source */
  readonly refuse?: RefuseHost | undefined;
}): LookupFunction {
  const { resolve = systemLookup, allowInternal, refuse = privateNetworkRefused } = options;
  return (hostname, wanted, callback) => {
    resolve(hostname, { ...wanted, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '', 0);
      const allowed = addresses.filter(({ address }) => allowInternal || !isInternalAddress(address));
      const [first] = allowed;
      if (first === undefined) return callback(refuse(hostname), '', 0);
      if (wanted.all === true) return callback(null, allowed);
      callback(null, first.address, first.family);
    });
  };
}

/** For hosts given as a number: the socket looks nothing up for those. */
export function assertPublicHost(hostname: string, refuse: RefuseHost = privateNetworkRefused): void {
  const literal = hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(literal) !== 0 && isInternalAddress(literal)) throw refuse(hostname);
}

function privateNetworkRefused(hostname: string): HoldfastError {
  return new HoldfastError(
    'git-refused',
    `${hostname} is a loopback, link-local or private address: set allowPrivateNetwork on the source if that is meant`,
    { details: { host: hostname } },
  );
}
