import { createDecipheriv } from 'node:crypto';

import type { LeafValue } from './leaf.ts';
import { sopsFault } from './sops-fault.ts';

const VALUE =
  /^ENC\[AES256_GCM,data:([A-Za-z0-9+/=]+),iv:([A-Za-z0-9+/=]+),tag:([A-Za-z0-9+/=]+),type:([a-z0-9]+)\]$/;
/** Unusual for GCM; SOPS has always used it. */
const IV_BYTES = 32;
const TAG_BYTES = 16;

/**
 * One `ENC[…]`. What it stands under is authenticated with it, so a value that was moved does not decrypt.
 *
 * @param place for people, and never a value
 * @throws HoldfastError `render-failed`
 */
export function decryptValue(
  text: string,
  key: Uint8Array,
  additionalData: string,
  place: string,
): LeafValue {
  // SOPS leaves empty texts as they are.
  if (text === '') return { type: 'str', bytes: Buffer.alloc(0) };
  const match = VALUE.exec(text);
  if (match === null) throw sopsFault(`${place}: should be encrypted, and is not in the form of SOPS`);
  const [, data = '', iv = '', tag = '', type = ''] = match;
  const plain = open({ data: bytesOf(data, place), iv: bytesOf(iv, place), tag: bytesOf(tag, place) });
  return typed(type, plain, place);

  function open(sealed: { readonly data: Buffer; readonly iv: Buffer; readonly tag: Buffer }): Buffer {
    if (sealed.iv.length !== IV_BYTES || sealed.tag.length !== TAG_BYTES) {
      throw sopsFault(`${place}: expected an iv of ${IV_BYTES} bytes and a tag of ${TAG_BYTES}`);
    }
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.iv, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(additionalData));
    decipher.setAuthTag(sealed.tag);
    try {
      return Buffer.concat([decipher.update(sealed.data), decipher.final()]);
    } catch {
      throw sopsFault(`${place}: does not decrypt: it was changed, moved, or comes from another file`);
    }
  }
}

function bytesOf(base64: string, place: string): Buffer {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64)
    throw sopsFault(`${place}: not in the form of SOPS: broken base64`);
  return bytes;
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[-+]\d\d:\d\d)$/;

function typed(type: string, bytes: Buffer, place: string): LeafValue {
  const text = bytes.toString('latin1');
  switch (type) {
    case 'str':
    case 'bytes':
      return { type: 'str', bytes };
    case 'int':
    case 'int64':
      if (/^(?:0|-?[1-9][0-9]{0,18})$/.test(text)) return { type: 'int', digits: text };
      break;
    case 'float':
      if (/^-?[0-9]+(?:\.[0-9]+)?$/.test(text) && Number.isFinite(Number(text)))
        return { type: 'float', value: Number(text) };
      break;
    case 'bool':
      if (text === 'True' || text === 'true') return { type: 'bool', value: true };
      if (text === 'False' || text === 'false') return { type: 'bool', value: false };
      break;
    case 'time':
      if (TIME.test(text)) return { type: 'time', text };
      break;
    default:
      throw sopsFault(`${place}: encrypted as "${type}", a type that is not known here`);
  }
  throw sopsFault(`${place}: encrypted as "${type}", and is none`);
}
