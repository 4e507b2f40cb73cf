import { Option } from 'clipanion';
import { addDetachedSignature } from '../core/detached-signature.ts';
import { type Envelope, mergeSignatures, signEnvelope, signingKeys } from '../core/dsse.ts';
import type { KeyId, PrivateKey, PublicKey } from '../core/keys.ts';
import type { DocumentFormat } from '../verify/signed-document.ts';
import {
  type DocumentFile,
  documentJson,
  type FileFormat,
  fileFormatOf,
  readSignable,
  renderDocumentFile,
  storeSigned,
} from './document-files-io.ts';
import { usageError } from './errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { SigningCommand } from './signing-command.ts';

/** The base of the commands that sign a document in a file of its own: people sign it in turn, or a copy each. */
export abstract class SignFileCommand<D> extends SigningCommand {
  file = Option.String({ name: 'FILE' });
  override out = Option.String('--out', {
    description: 'write `FILE` instead of the same; with --print-pae the bytes to sign',
  });
  copies = Option.Array('--merge', { description: 'take in the signatures of the copy in `FILE`' });

  protected override readonly writesElsewhere = true;
  protected abstract readonly fileFormat: FileFormat<D>;
  /** @param keyid undefined after a merge */
  protected abstract tell(signed: DocumentFile<D>, keyid: KeyId | undefined): void;

  override async run(): Promise<ExitCode> {
    if (this.copies === undefined) return super.run();
    if (this.key !== undefined || this.printPae || this.signature !== undefined) {
      throw usageError('USAGE_OPTION', '--merge goes alone: sign before or after it');
    }
    const copies = this.copies.map((path) => readSignable(this.fileFormat, path).envelope);
    this.#store((envelope) => mergeSignatures(envelope, copies), undefined);
    return EXIT.done;
  }

  protected async toSign(): Promise<Envelope> {
    return readSignable(this.fileFormat, this.file).envelope;
  }

  /** Signing twice changes nothing. */
  protected async signWith(key: PrivateKey): Promise<void> {
    const isSigned = (envelope: Envelope) => signingKeys(envelope, [key.publicKey]).length > 0;
    this.#store((envelope) => (isSigned(envelope) ? envelope : signEnvelope(envelope, key)), key.publicKey.keyid);
  }

  protected async addSigned(key: PublicKey, signature: Uint8Array): Promise<void> {
    this.#store((envelope) => addDetachedSignature(envelope, key, signature), key.keyid);
  }

  #store(change: (envelope: Envelope) => Envelope, keyid: KeyId | undefined): void {
    this.tell(storeSigned(this.fileFormat, this.file, this.out, change), keyid);
  }
}

/** The base for short documents: the format and its words are all that differs. */
export abstract class SignDocumentCommand<D> extends SignFileCommand<D> {
  protected abstract readonly format: DocumentFormat<D>;
  protected abstract words(document: D): readonly string[];

  protected override get fileFormat(): FileFormat<D> {
    return fileFormatOf(this.format);
  }

  protected tell(signed: DocumentFile<D>, keyid: KeyId | undefined): void {
    const json = { ...documentJson(signed), ...(keyid === undefined ? {} : { keyid }) };
    this.result(json, renderDocumentFile(signed, this.words(signed.document)));
  }
}
