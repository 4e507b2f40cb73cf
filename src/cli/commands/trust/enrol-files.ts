import { encodeEnvelope, payloadDigest, signEnvelope, signingKeys } from '../../../core/dsse.ts';
import type { PrivateKey } from '../../../core/keys.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import { writeFileDurably } from '../../../durable/files-io.ts';
import { parseEnrolmentEnvelope } from '../../../verify/enrolment.ts';
import { type Enrolment, MAX_ENROLMENT_BYTES, parseEnrolmentPayload } from '../../../verify/enrolment-document.ts';
import { usageError } from '../../errors.ts';
import { readInputFile } from '../../files-io.ts';

export type SignedEnrolment = {
  readonly file: string;
  readonly enrolment: Enrolment;
  readonly fingerprint: string;
  readonly signatures: number;
};

/** An enrolment file's bytes, whatever they hold. */
export function readEnrolmentFile(path: string): Uint8Array {
  return readInputFile(path, { maxBytes: MAX_ENROLMENT_BYTES });
}

/**
 * Adds a signature to an enrolment file. Nobody signs what can't be read back to him, so it is parsed first.
 * @param out another file to write; default the same
 * @param kind what it must be an enrolment of
 */
export function signEnrolmentFile(
  path: string,
  key: PrivateKey,
  out: string | undefined,
  kind?: 'host',
): SignedEnrolment {
  const unsigned = parseEnrolmentEnvelope(readEnrolmentFile(path));
  const enrolment = parseEnrolmentPayload(unsigned.payload);
  if (kind === 'host' && enrolment.operator !== undefined) {
    throw usageError('USAGE_VALUE', `${path} is the enrolment of an operator; sign it with trust enrol sign`);
  }
  const isSigned = signingKeys(unsigned, [key.publicKey]).length > 0;
  const signed = isSigned ? unsigned : signEnvelope(unsigned, key);
  const file = out ?? path;
  writeFileDurably(file, encodeEnvelope(signed), { mode: 0o644 });
  const { signatures } = signed;
  return { file, enrolment, fingerprint: payloadDigest(signed), signatures: signatures.length };
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
export function enrolmentJson({ enrolment, file, fingerprint, signatures }: SignedEnrolment) {
  return { file, fingerprint, signatures, enrolment: enrolment.document };
}

export function renderSigned({ enrolment, file, fingerprint, signatures }: SignedEnrolment): string {
  const said = `${escapeForTerminal(file)}: ${count(signatures, 'signature')}`;
  return [renderEnrolment(enrolment, fingerprint), said].join('\n');
}
