import { encodeHex } from './bytes.ts';
import { CoreError } from './errors.ts';

/** age X25519 recipients (age-encryption.org/v1, "The X25519 recipient type"): Bech32 (BIP 173) with the prefix `age`. */
const PREFIX = 'age';
const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CHECKSUM_CHARACTERS = 6;
const KEY_BYTES = 32;

/** 2^255 - 19. */
const FIELD = 2n ** 255n - 19n;
/**
 * Canonical u-coordinates of low order on Curve25519 and its twist (RFC 7748 section 7; cr.yp.to/ecdh.html, "validate").
 * Encryption to them is refused by every age tool, since anybody knows the shared secret: values sealed to such a
 * recipient would be lost.
 */
const LOW_ORDER: readonly bigint[] = [
  0n,
  1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
  FIELD - 1n,
];

/**
 * The X25519 public key in an age recipient: lower case, the checksum right, one canonical spelling of a point that can
 * be encrypted to.
 * @returns 32 bytes
 * @throws CoreError RECIPIENT_MALFORMED
 */
export function parseAgeRecipient(text: string): Uint8Array {
  const data = text.startsWith(`${PREFIX}1`) ? text.slice(PREFIX.length + 1) : undefined;
  if (data === undefined) throw malformed('it does not begin with age1');
  const values = [...data].map((character) => ALPHABET.indexOf(character));
  if (values.includes(-1)) throw malformed('it has a character that none has');
  if (values.length !== Math.ceil((KEY_BYTES * 8) / 5) + CHECKSUM_CHARACTERS) throw malformed('its length is wrong');
  if (checksumOf([...expandedPrefix(), ...values]) !== 1) throw malformed('its checksum is wrong: a slip of the pen');
  const key = regroup(values.slice(0, -CHECKSUM_CHARACTERS));
  const u = BigInt(`0x${encodeHex(key.toReversed())}`);
  if (u >= FIELD || LOW_ORDER.includes(u)) throw malformed('it is not a point that can be encrypted to');
  return key;
}

function malformed(problem: string): CoreError {
  return new CoreError('RECIPIENT_MALFORMED', `not an age recipient (age1…, of an X25519 key): ${problem}`);
}

function expandedPrefix(): number[] {
  const codes = [...PREFIX].map((character) => character.charCodeAt(0));
  return [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31)];
}

/** The BCH code of BIP 173, "Checksum"; 1 for a whole string. */
function checksumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => {
    const shifted = ((sum & 0x1ffffff) << 5) ^ value;
    return GENERATOR.reduce((next, term, i) => ((sum >>> 25) & (1 << i) ? next ^ term : next), shifted);
  }, 1);
}

/** Five bits a value into bytes; the bits left over are zero, else one key had several spellings. */
function regroup(values: readonly number[]): Uint8Array {
  const bits = values.map((value) => value.toString(2).padStart(5, '0')).join('');
  if (/1/.test(bits.slice(KEY_BYTES * 8))) throw malformed('its last bits are not zero');
  return Uint8Array.from({ length: KEY_BYTES }, (_, i) => Number.parseInt(bits.slice(8 * i, 8 * i + 8), 2));
}
