import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { Command, Option } from 'clipanion';
import { utf8 } from '../../../core/bytes.ts';
import { formatPrivateKey, publicKeyFromSpki } from '../../../core/keys.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { createFilesDurably, refuseExisting } from '../../files-io.ts';
import { obtainPassphrase } from '../../passphrase-io.ts';

/** A file name everywhere, and nothing a shell or a person could misread. */
const KEY_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export class KeysGenerate extends DaemonCommand {
  static override paths = [['keys', 'generate']];
  static override usage = Command.Usage({
    description: 'Make a signing key pair: NAME.key.pem, to keep, and NAME.pub.pem, to hand out. Overwrites nothing.',
    details: 'The keys are Ed25519 in PKCS#8 and SPKI PEM, as openssl writes and reads them.',
    examples: [
      ['A key that a passphrase protects', '$0 keys generate alice --encrypt'],
      ['In a folder of its own, for a script', '$0 keys generate ci --out keys --json'],
    ],
  });

  name = Option.String({ name: 'NAME' });
  encrypt = Option.Boolean('--encrypt', false, { description: 'protect the private key with a passphrase' });
  passphraseFile = Option.String('--passphrase-file', {
    description: 'take the passphrase from the first line of `FILE` (also: DAEMONEYE_PASSPHRASE_FILE)',
  });
  out = Option.String('--out', '.', { description: 'write both files into `DIR`' });

  async run(): Promise<ExitCode> {
    if (!KEY_NAME.test(this.name)) {
      throw usageError('USAGE_VALUE', `"${this.name}" can't name a key; use letters, digits, ".", "_" and "-"`);
    }
    const privateFile = join(this.out, `${this.name}.key.pem`);
    const publicFile = join(this.out, `${this.name}.pub.pem`);
    refuseExisting([privateFile, publicFile]);
    const passphrase = await this.#passphrase(privateFile);
    const pair = generateKeyPairSync('ed25519');
    const key = publicKeyFromSpki(new Uint8Array(pair.publicKey.export({ format: 'der', type: 'spki' })));
    this.signal.throwIfAborted();
    createFilesDurably([
      { path: privateFile, bytes: utf8(formatPrivateKey(pair.privateKey, passphrase)), mode: 0o600 },
      { path: publicFile, bytes: utf8(key.pem), mode: 0o644 },
    ]);
    this.result(
      { keyid: key.keyid, algorithm: key.algorithm, encrypted: this.encrypt, privateFile, publicFile },
      [
        `private  ${escapeForTerminal(privateFile)}${this.encrypt ? ' (encrypted)' : ''}`,
        `public   ${escapeForTerminal(publicFile)}`,
        `keyid    ${key.keyid}`,
      ].join('\n'),
    );
    if (!this.encrypt) this.note('The private key is not encrypted: whoever can read the file can sign.');
    return EXIT.done;
  }

  async #passphrase(privateFile: string): Promise<string | undefined> {
    if (!this.encrypt) return undefined;
    return obtainPassphrase(this.context, {
      file: this.passphraseFile,
      what: escapeForTerminal(privateFile),
      isNew: true,
    });
  }
}
