import { join } from 'node:path';
import { Command, Option } from 'clipanion';
import { ENVELOPE_NAME, MAX_ENVELOPE } from '../../../bundle/format.ts';
import { addSignature, mergeIntoBundle, readSignable, type SignResult, signBundle } from '../../../bundle/sign-io.ts';
import type { Envelope } from '../../../core/dsse.ts';
import type { PrivateKey, PublicKey } from '../../../core/keys.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { createFilesDurably, isDirectory, readInputFile } from '../../files-io.ts';
import { parseSidecars, sidecarFiles } from '../../sidecar-files-io.ts';
import { SigningCommand } from '../../signing-command.ts';

export class BundleSign extends SigningCommand {
  static override paths = [['bundle', 'sign']];
  static override usage = Command.Usage({
    description: 'Sign a bundle directory. Several people sign one after the other; signing twice changes nothing.',
    details:
      'Or apart, in any order: bundle.dsse.json, index.jsonl and root are all that a signer needs, and --merge takes ' +
      'the copies in. A smart card or HSM signs what --print-pae writes; --add-signature takes the result in. --sidecar ' +
      'also writes the statement beside the bundle, DIR.statement.json, with a signature over that file for minisign, ' +
      'ssh-keygen, signify or openssl: what their yes does not cover, docs/formats.md says.',
    examples: [
      ['With a key file', '$0 bundle sign linux-1.bundle --key alice.key.pem'],
      ['Also for a clerk with minisign', '$0 bundle sign linux-1.bundle --key alice.key.pem --sidecar minisig'],
      ['A copy that bob signed', '$0 bundle sign linux-1.bundle --merge from-bob/bundle.dsse.json'],
      ['With a card: what to sign', '$0 bundle sign linux-1.bundle --print-pae --out to-sign'],
      ['With a card: its 64 bytes', '$0 bundle sign linux-1.bundle --add-signature sig.bin --key alice.pub.pem'],
    ],
  });

  directory = Option.String({ name: 'DIR' });
  copies = Option.Array('--merge', {
    description: 'take in the signatures of a `COPY`: a bundle or its bundle.dsse.json',
  });

  sidecars = Option.Array('--sidecar', [], {
    description: 'sign the statement for another tool too: `KIND` minisig, sshsig, signify or raw; repeatable',
  });

  override async run(): Promise<ExitCode> {
    parseSidecars(this.sidecars);
    if (this.sidecars.length > 0 && (this.key === undefined || this.printPae || this.signature !== undefined)) {
      throw usageError('USAGE_OPTION', '--sidecar goes with a private key given by --key');
    }
    if (this.copies === undefined) return super.run();
    if (this.key !== undefined || this.printPae || this.signature !== undefined) {
      throw usageError('USAGE_OPTION', '--merge goes alone: sign before or after it');
    }
    const copies = this.copies.map((path) =>
      readInputFile(isDirectory(path) ? join(path, ENVELOPE_NAME) : path, { maxBytes: MAX_ENVELOPE }),
    );
    const merged = await mergeIntoBundle(this.directory, copies);
    this.result(
      { directory: this.directory, ...merged },
      `${escapeForTerminal(this.directory)}: ${count(merged.signatures, 'signature')} now`,
    );
    return EXIT.done;
  }

  protected toSign(): Promise<Envelope> {
    return readSignable(this.directory);
  }

  protected async signWith(key: PrivateKey): Promise<void> {
    const kinds = parseSidecars(this.sidecars);
    if (kinds.length === 0) return this.#tell(await signBundle(this.directory, key));
    const { lacking, paths } = sidecarFiles(this.directory, await readSignable(this.directory), kinds, key);
    const signed = await signBundle(this.directory, key);
    createFilesDurably(lacking);
    this.#tell(signed, paths);
  }

  protected async addSigned(key: PublicKey, signature: Uint8Array): Promise<void> {
    this.#tell(await addSignature(this.directory, key, signature));
  }

  #tell(signed: SignResult, sidecars?: readonly string[]): void {
    const done = signed.added ? 'signed' : 'was signed before';
    this.result(
      { directory: this.directory, ...signed, ...(sidecars === undefined ? {} : { sidecars }) },
      [
        `${escapeForTerminal(this.directory)} ${done} by ${signed.keyid}; ${count(signed.signatures, 'signature')} now`,
        ...(sidecars ?? []).map(escapeForTerminal),
      ].join('\n'),
    );
  }
}
