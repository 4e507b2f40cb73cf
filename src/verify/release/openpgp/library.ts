import { type Config, config, enums, readKey } from 'openpgp';
import { messageOf } from '../../../core/errors.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';
import { RSA_BITS } from './format.ts';

const { hash, publicKey, curve } = enums;

/** Every setting that has a say here, given with each call: its own defaults may change. */
const STRICT: Config = {
  ...config,
  minRSABits: RSA_BITS.min,
  ignoreUnsupportedPackets: false,
  ignoreMalformedPackets: false,
  enforceGrammar: true,
  additionalAllowedPackets: [],
  allowInsecureVerificationWithReformattedKeys: false,
  allowMissingKeyFlags: false,
  enableParsingV5Entities: false,
  maxUserIDLength: 4096,
  knownNotations: [],
  rejectHashAlgorithms: new Set([hash.md5, hash.sha1, hash.ripemd, hash.sha224, hash.sha3_256, hash.sha3_512]),
  rejectMessageHashAlgorithms: new Set([hash.md5, hash.sha1, hash.ripemd, hash.sha224, hash.sha3_256, hash.sha3_512]),
  rejectPublicKeyAlgorithms: new Set([publicKey.elgamal, publicKey.dsa]),
  rejectCurves: new Set([curve.secp256k1, curve.brainpoolP256r1, curve.brainpoolP384r1, curve.brainpoolP512r1]),
};

/**
 * Lets openpgp.js verify a certificate: the owner's signature over his name, for a subkey its binding and its back
 * signature, and what each says of time and use. It gets only the packets that were judged here, so that it can't find
 * a reason to accept in some other one.
 * @param fingerprint of the key that signed, lower-case hex
 * @param moment milliseconds since 1970; openpgp.js would ask the clock without it
 * @throws ReleaseError PGP_KEY_BINDING
 */
export async function assertLibraryAccepts(
  certificate: Uint8Array,
  fingerprint: string,
  moment: number,
): Promise<void> {
  let found: string;
  try {
    const key = await readKey({ binaryKey: certificate, config: STRICT });
    const id = key.getKeyIDs().find((one) => one.toHex() === fingerprint.slice(-16));
    const signing = await key.getSigningKey(id, new Date(moment), undefined, STRICT);
    found = signing.getFingerprint();
  } catch (cause) {
    throw refused(fingerprint, escapeForTerminal(messageOf(cause)), cause);
  }
  if (found !== fingerprint) throw refused(fingerprint, 'it takes another key of the same certificate');
}

function refused(fingerprint: string, problem: string, cause?: unknown): ReleaseError {
  const message = `the key ${fingerprint.toUpperCase()} is refused by openpgp.js: ${problem}`;
  return new ReleaseError('PGP_KEY_BINDING', message, { cause });
}
