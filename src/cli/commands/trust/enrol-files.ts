import { payloadDigest } from '../../../core/dsse.ts';
import type { KeyId } from '../../../core/keys.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import { parseEnrolmentEnvelope } from '../../../verify/enrolment.ts';
import { type Enrolment, MAX_ENROLMENT_BYTES, parseEnrolmentPayload } from '../../../verify/enrolment-document.ts';
import type { DocumentFile, FileFormat } from '../../document-files-io.ts';
import { readInputFile } from '../../files-io.ts';
import { SignFileCommand } from '../../sign-document-command.ts';

/** An enrolment file's bytes, whatever they hold. */
export function readEnrolmentFile(path: string): Uint8Array {
  return readInputFile(path, { maxBytes: MAX_ENROLMENT_BYTES });
}

export const ENROLMENT_FILE: FileFormat<Enrolment> = {
  maxBytes: MAX_ENROLMENT_BYTES,
  parse: (bytes) => {
    const envelope = parseEnrolmentEnvelope(bytes);
    return { envelope, document: parseEnrolmentPayload(envelope.payload) };
  },
};

/** The base of what signs enrolments. */
export abstract class SignEnrolmentCommand extends SignFileCommand<Enrolment> {
  protected override readonly fileFormat = ENROLMENT_FILE;

  protected tell(signed: DocumentFile<Enrolment>, keyid: KeyId | undefined): void {
    this.result({ ...(keyid === undefined ? {} : { keyid }), ...enrolmentJson(signed) }, renderSigned(signed));
  }
}

/** What an enrolment admits, line by line, for who signs or accepts it. */
export function renderEnrolment({ document, operator, logs, receipt }: Enrolment, fingerprint: string): string {
  const { issuedAt, expires } = document;
  const who =
    'host' in document
      ? [
          `host ${document.host}`,
          ...logs.map(({ origin, key }) => `  ${escapeForTerminal(origin)}  key ${key.keyid}`),
          ...(receipt === undefined ? [] : [`  receipts  key ${receipt.key.keyid}`]),
        ]
      : [
          `operator ${document.operator} as ${operator?.roles.join(', ')}`,
          ...(operator?.keys ?? []).map(({ keyid }) => `  key ${keyid}`),
        ];
  const until = expires === undefined ? 'until revoked' : `until ${expires}`;
  return [...who, `  issued ${issuedAt}, valid ${until}`, `  fingerprint ${fingerprint}`].join('\n');
}

/** As JSON, the document beside what identifies it. */
export function enrolmentJson({ file, envelope, document: { document } }: DocumentFile<Enrolment>) {
  return {
    file,
    fingerprint: payloadDigest(envelope),
    signatures: envelope.signatures.length,
    enrolment: document,
  };
}

export function renderSigned({ file, envelope, document }: DocumentFile<Enrolment>): string {
  const said = `${escapeForTerminal(file)}: ${count(envelope.signatures.length, 'signature')}`;
  return [renderEnrolment(document, payloadDigest(envelope)), said].join('\n');
}
