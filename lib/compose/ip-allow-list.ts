import { BlockList, isIP } from 'node:net';
import { HoldfastError } from '../model/errors.ts';

/** Comma separated CIDR ranges, from which alone webhooks are taken. */
export const IP_ALLOW_LIST_VARIABLE = 'HOLDFAST_IP_ALLOW_LIST';

/**
 * Whether an address may send webhooks; undefined where the variable is not set, and then every address may. The
 * signature is what a delivery is trusted for: this only keeps strangers from costing a look at the table.
 * @throws HoldfastError `invalid-input` for anything that is not a range: a list that is half understood admits nobody
 */
export function readIpAllowList(text: string | undefined): ((address: string) => boolean) | undefined {
  if (text === undefined) return undefined;
  const ranges = text.split(',').map((range) => range.trim());
  const allowed = new BlockList();
  for (const range of ranges) {
    const { address, family, prefix } = parseRange(range);
    allowed.addSubnet(address, prefix, family);
  }
  return (address) => {
    const family = familyOf(address);
    return family !== undefined && allowed.check(address, family);
  };
}

function parseRange(range: string) {
  const [address = '', bits, ...rest] = range.split('/');
  const family = familyOf(address);
  const longest = family === 'ipv4' ? 32 : 128;
  const prefix = bits === undefined ? longest : Number(bits);
  const isRange =
    family !== undefined &&
    rest.length === 0 &&
    (bits === undefined || /^\d{1,3}$/.test(bits)) &&
    prefix <= longest;
  if (!isRange) {
    throw new HoldfastError(
      'invalid-input',
      `${IP_ALLOW_LIST_VARIABLE}: expected addresses or CIDR ranges separated by commas, got ${JSON.stringify(range)}`,
    );
  }
  return { address, family, prefix };
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  // An interface zone (fe80::1%eth0) is no address of a caller.
  if (address.includes('%')) return undefined;
  const version = isIP(address);
  return version === 4 ? 'ipv4' : version === 6 ? 'ipv6' : undefined;
}
