import { Option } from 'clipanion';
import { encodeBase64 } from '../core/bytes.ts';
import { parseDetachedSignature } from '../core/detached-signature.ts';
import { type Envelope, payloadDigest, preAuthEncoding } from '../core/dsse.ts';
import type { PrivateKey, PublicKey } from '../core/keys.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { DaemonCommand } from './command.ts';
import { usageError } from './errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { createFilesDurably, readInputFile } from './files-io.ts';
import { loadPrivateKey, loadPublicKey } from './key-files-io.ts';

/** 64 bytes, or these in base64 with line breaks, of which some tools are generous. */
const MAX_SIGNATURE_FILE = 256;

/**
 * What every command that signs an envelope has in common: a key file signs here, or a smart card or HSM signs what
 * `--print-pae` writes and `--add-signature` takes the result in.
 */
export abstract class SigningCommand extends DaemonCommand {
  key = Option.String('--key', {
    description: 'sign with the private key in `FILE`; with --add-signature the public key that made it',
  });
  passphraseFile = Option.String('--passphrase-file', {
    description: 'take the passphrase from the first line of `FILE` (also: DAEMONEYE_PASSPHRASE_FILE)',
  });
  printPae = Option.Boolean('--print-pae', false, {
    description: 'write the exact bytes that a smart card or HSM signs, to standard output',
  });
  out = Option.String('--out', { description: 'write them into `FILE` instead' });
  signature = Option.String('--add-signature', {
    description: 'add the signature in `FILE` (64 bytes, or these in base64)',
  });

  /** Whether what was signed may go into another file, with --out. */
  protected readonly writesElsewhere: boolean = false;
  /** The document as it would be signed now. */
  protected abstract toSign(): Promise<Envelope>;
  protected abstract signWith(key: PrivateKey): Promise<void>;
  /** Adds a signature made elsewhere, once it is found to be one. */
  protected abstract addSigned(key: PublicKey, signature: Uint8Array): Promise<void>;

  async run(): Promise<ExitCode> {
    if (this.out !== undefined && !this.printPae && !this.writesElsewhere)
      throw usageError('USAGE_OPTION', '--out goes with --print-pae');
    if (this.printPae) {
      if (this.key !== undefined || this.signature !== undefined) throw notOneWay();
      await this.#printPae(await this.toSign());
    } else if (this.key === undefined) {
      throw this.signature === undefined
        ? notOneWay()
        : usageError('USAGE_OPTION', '--add-signature needs --key with the public key that made it');
    } else if (this.signature === undefined) {
      await this.signWith(await loadPrivateKey(this.key, this.context, this.passphraseFile));
    } else {
      const bytes = readInputFile(this.signature, { maxBytes: MAX_SIGNATURE_FILE });
      await this.addSigned(loadPublicKey(this.key), parseDetachedSignature(bytes));
    }
    return EXIT.done;
  }

  async #printPae(envelope: Envelope): Promise<void> {
    const { payloadType, payload } = envelope;
    const bytes = preAuthEncoding(payloadType, payload);
    const about = { payloadType, fingerprint: payloadDigest(envelope), bytes: bytes.length };
    const said = `${bytes.length} bytes to sign, of the document with the fingerprint ${about.fingerprint}`;
    if (this.out !== undefined) {
      createFilesDurably([{ path: this.out, bytes, mode: 0o644 }]);
      this.result({ ...about, file: this.out }, `${escapeForTerminal(this.out)}: ${said}`);
    } else if (this.context.output.json) {
      this.result({ ...about, pae: encodeBase64(bytes) }, '');
    } else {
      // They are somebody else's text, to the byte: on a terminal they could act, and copied from it they would not fit.
      if (this.context.output.isTerminal) {
        throw usageError('USAGE_OPTION', 'the bytes to sign are not for a terminal: give --out FILE, or redirect them');
      }
      await this.context.output.stream(bytes);
      this.note(said);
    }
  }
}

function notOneWay(): Error {
  return usageError('USAGE_OPTION', 'say how to sign: one of --key, --print-pae, or --add-signature with --key');
}
