import { concatBytes, decodeUtf8, encodeBase64, parseBase64, utf8 } from '../../../core/bytes.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';
import { digestOf, type Message } from '../message.ts';
import { MAX_SIGNATURE_BYTES, malformedAs, readText } from '../text.ts';
import { WireReader, wireString } from '../wire.ts';
import { parseSshSigner, type SshSigner } from './certificate.ts';
import { ARMOR_BEGIN, ARMOR_END, ARMOR_LINE, MAGIC, VERSION } from './format.ts';
import { isKeySignature, type KeySignature, readKeySignature, userWasVerified, wasTouched } from './key-signature.ts';

export type SshSignature = KeySignature & {
  readonly key: SshSigner;
  readonly namespace: string;
  readonly hash: 'sha256' | 'sha512';
};

const bad = malformedAs('SSH_MALFORMED', 'not an SSH signature');

/**
 * Parses an armoured signature (PROTOCOL.sshsig section 1 and 2) and the key in it. The key means nothing until an
 * allowed signer has it.
 * @throws ReleaseError SSH_MALFORMED, SSH_KEY_MALFORMED, SSH_KEY_WEAK, SSH_CERTIFICATE, SSH_ALGORITHM or
 *   MATERIAL_TOO_LARGE
 */
export function parseSshSignature(bytes: Uint8Array): SshSignature {
  const reader = new WireReader(unarmor(readText(bytes, MAX_SIGNATURE_BYTES, bad)), bad);
  reader.expect(MAGIC, 'it lacks the mark SSHSIG');
  if (reader.uint32() !== VERSION) throw bad('its version is not 1');
  const publicKey = reader.string();
  const namespace = decodeNamespace(reader.string());
  // To be ignored by who reads it, but signed; OpenSSH puts nothing in, and so does who verifies.
  if (reader.string().length > 0) throw bad('its reserved field is not empty');
  const hash = reader.name();
  const signature = reader.string();
  reader.end();
  if (hash !== 'sha256' && hash !== 'sha512') {
    throw new ReleaseError(
      'SSH_ALGORITHM',
      `the SSH signature is over a ${escapeForTerminal(hash)} hash, not sha256 or sha512`,
    );
  }
  const key = parseSshSigner(publicKey);
  return { key, namespace, hash, ...readKeySignature(key, signature, bad) };
}

function unarmor(text: string): Uint8Array {
  const lines = (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
  if (lines.length < 3 || lines[0] !== ARMOR_BEGIN || lines.at(-1) !== ARMOR_END) {
    throw bad(`it is not one block between "${ARMOR_BEGIN}" and "${ARMOR_END}"`);
  }
  try {
    return parseBase64(lines.slice(1, -1).join(''));
  } catch (cause) {
    throw bad('its base64 is not canonical', cause);
  }
}

function decodeNamespace(bytes: Uint8Array): string {
  let namespace: string;
  try {
    namespace = decodeUtf8(bytes);
  } catch (cause) {
    throw bad('its namespace is not UTF-8', cause);
  }
  if (namespace === '') throw bad('its namespace is empty');
  return namespace;
}

/** What a key signs: PROTOCOL.sshsig section 2: magic, namespace, reserved, hash algorithm, H(message). */
export function sshSigned(namespace: string, hash: SshSignature['hash'], digest: Uint8Array): Uint8Array {
  return concatBytes(MAGIC, ...[utf8(namespace), new Uint8Array(), utf8(hash), digest].map(wireString));
}

/** What {@link parseSshSignature} reads (PROTOCOL.sshsig section 1). @param publicKey in wire form */
export function encodeSshSignature(
  publicKey: Uint8Array,
  { namespace, hash, algorithm, blob }: Omit<SshSignature, 'key' | 'presence'>,
): string {
  const signature = concatBytes(wireString(utf8(algorithm)), wireString(blob));
  const parts = [publicKey, utf8(namespace), new Uint8Array(), utf8(hash), signature].map(wireString);
  const body = encodeBase64(concatBytes(MAGIC, Uint8Array.of(0, 0, 0, VERSION), ...parts));
  return `${[ARMOR_BEGIN, ...(body.match(ARMOR_LINE) ?? []), ARMOR_END].join('\n')}\n`;
}

/**
 * Whether the key in the signature made it over the message. Who that key belongs to is for the allowed signers.
 * @throws ReleaseError SSH_SIGNATURE, SSH_PRESENCE or SSH_MALFORMED
 */
export function verifySshSignature(message: Message, signature: SshSignature): void {
  const { key, namespace, hash } = signature;
  if (!isKeySignature(key, sshSigned(namespace, hash, digestOf(message, hash)), signature, bad)) {
    const name = escapeForTerminal(message.name);
    throw new ReleaseError('SSH_SIGNATURE', `the SSH signature is not one of the key it names over ${name}`);
  }
  if (!wasTouched(signature)) throw new ReleaseError('SSH_PRESENCE', 'the security key signed without being touched');
  if (key.certificate?.mustVerifyUser === true && !userWasVerified(signature))
    throw new ReleaseError('SSH_PRESENCE', 'the certificate asks for a PIN or a finger, and the security key saw none');
}

/** What a security key says of the person, for the report. */
export function presenceWords(signature: SshSignature): string | undefined {
  if (signature.presence === undefined) return undefined;
  return userWasVerified(signature) ? 'touched, and unlocked by its user' : 'touched';
}
