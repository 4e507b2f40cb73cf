import { extname } from 'node:path';
import { Option } from 'clipanion';
import { decodeUtf8 } from '../core/bytes.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { isPng, readAllCarried, readCarried } from '../ledger/qr-frames.ts';
import { DaemonCommand } from './command.ts';
import { usageError } from './errors.ts';
import { type NewFile, readInputFile, refuseExisting } from './files-io.ts';
import { renderQr } from './render/qr.ts';
import { assertWritable, carryFiles, type Written, writtenText } from './written-io.ts';

/** A picture of a screen, or a few kilobytes of text. */
const MAX_INPUT_BYTES = 32 * 1024 * 1024;

/**
 * Reads a document that crossed a gap: its file, or its QR codes as images or pasted text.
 * @throws CliError as `readInputFile`; LedgerError as `readCarried` and `readQrPng`
 */
export async function readCarriedFiles(paths: readonly string[]): Promise<Uint8Array> {
  const inputs = paths.map((path) => readInputFile(path, { maxBytes: MAX_INPUT_BYTES }));
  const { readQrPng } = await import('../ledger/qr-image.ts');
  return readCarried(inputs, readQrPng);
}

/**
 * Reads documents that crossed a gap, each as its file or as QR codes; codes of several may be mixed.
 * @throws CliError as `readInputFile`; LedgerError as `readAllCarried` and `readQrPng`
 */
export async function readAllCarriedFiles(paths: readonly string[]): Promise<Uint8Array[]> {
  const inputs = paths.map((path) => readInputFile(path, { maxBytes: MAX_INPUT_BYTES }));
  const { readQrPng } = await import('../ledger/qr-image.ts');
  return readAllCarried(inputs, readQrPng);
}

/**
 * The text of one QR code that is no document: from an image of it, or as text.
 * @throws CliError as `readInputFile`; CoreError UTF8_MALFORMED; LedgerError as `readQrPng`
 */
export async function readCodeFile(path: string): Promise<string> {
  const bytes = readInputFile(path, { maxBytes: MAX_INPUT_BYTES });
  if (!isPng(bytes)) return decodeUtf8(bytes);
  const { readQrPng } = await import('../ledger/qr-image.ts');
  return readQrPng(bytes);
}

/** What every command that hands out something small for carrying has in common: as a file, or as QR codes. */
export abstract class CarryingCommand extends DaemonCommand {
  out = Option.String('--out', { description: 'write it into the new `FILE`' });
  png = Option.String('--png', { description: 'write QR codes into `FILE`, or FILE-1, FILE-2 and so on' });
  qr = Option.Boolean('--qr', false, { description: 'draw QR codes on the terminal' });

  /** Before any work. @throws CliError USAGE_OPTION, FILE_EXISTS; as `assertWritable` */
  protected assertWays(): void {
    if (this.places.length === 0 && !this.qr) {
      throw usageError('USAGE_OPTION', 'say how it is carried: --out FILE, --png FILE or --qr');
    }
    refuseExisting(this.places);
    assertWritable(this.places);
  }

  /** Where files are about to be written. */
  protected get places(): readonly string[] {
    return [this.out, this.png].filter((path) => path !== undefined);
  }

  /**
   * Writes the document every way that was asked for.
   * @param code what the QR code holds in place of the document; of QR's alphanumeric alphabet
   * @returns the files, how they were read again on each medium, and what to print
   * @throws LedgerError QR_TOO_LONG; as `carryFiles`
   */
  protected async carry(
    document: Uint8Array,
    code?: string,
  ): Promise<{ readonly files: string[]; readonly written: readonly Written[]; readonly text: string }> {
    const { out, png } = this;
    const files: NewFile[] = out === undefined ? [] : [{ path: out, bytes: document, mode: 0o644 }];
    const drawn: string[] = [];
    if (png !== undefined || this.qr) {
      const { encodeFrames } = await import('../ledger/qr-frames.ts');
      const { qrModules, qrPng } = await import('../ledger/qr-image.ts');
      const frames = code === undefined ? encodeFrames(document) : [code];
      frames.forEach((frame, i) => {
        if (png !== undefined) files.push({ path: numbered(png, i, frames.length), bytes: qrPng(frame), mode: 0o644 });
        if (this.qr) drawn.push(`code ${i + 1} of ${frames.length}`, renderQr(qrModules(frame)));
      });
    }
    const written = await carryFiles(files);
    const paths = files.map(({ path }) => path);
    return { files: paths, written, text: [...drawn, ...paths.map(escapeForTerminal)].join('\n') };
  }

  /** What is to be known at the stick; to follow the result. */
  protected noteWritten(written: readonly Written[]): void {
    for (const line of written.flatMap(writtenText)) this.note(line);
  }
}

function numbered(path: string, i: number, count: number): string {
  if (count === 1) return path;
  const extension = extname(path);
  return `${path.slice(0, path.length - extension.length)}-${i + 1}${extension}`;
}
