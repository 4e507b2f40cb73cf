import { escapeForTerminal } from '../../core/terminal-text.ts';
import { missingSignature, type PreparedMethod } from '../../verify/release/prepared.ts';
import type { SignatureKind } from '../../verify/release/signature-kind.ts';
import { usageError } from '../errors.ts';
import { describeSignature, type SignatureFile } from './signatures-io.ts';

/** One thing that whoever verifies trusts, and the signatures it can judge. */
export type Trusted = {
  /** The name of its check. */
  readonly name: string;
  /** Its option, for sentences. */
  readonly option: string;
  readonly kinds: readonly SignatureKind[];
  readonly prepare: (signature: SignatureFile) => PreparedMethod | Promise<PreparedMethod>;
};

export type Chosen = {
  readonly methods: readonly PreparedMethod[];
  /** Beside the file, and of a kind nothing was given to judge by. */
  readonly notChecked: readonly string[];
};

/** The option that a signature of each kind needs. */
const NEEDS: Readonly<Record<SignatureKind, string>> = {
  minisign: '--minisign KEY',
  signify: '--signify KEY',
  ssh: '--ssh-signers FILE',
  raw: '--key KEY',
  sigstore: '--trusted-root ROOT with --identity and --issuer, or --key KEY',
  openpgp: '--openpgp KEYRING',
};

/**
 * Pairs what is trusted with what was signed. Nothing is guessed: two signatures for one trust are a question, a given
 * signature without trust too, and trust without a signature is a refusal, since whoever takes a signature away must
 * not win by it.
 * @param given signatures that the command line names; without any, those `beside` the file are looked at
 * @throws CliError USAGE_OPTION
 */
export async function chooseSignatures(
  file: string,
  trusted: readonly Trusted[],
  given: readonly SignatureFile[],
  beside: readonly SignatureFile[],
): Promise<Chosen> {
  const pool = given.length > 0 ? given : beside;
  if (trusted.length === 0) throw nothingTrusted(file, pool);
  const used = new Set<SignatureFile>();
  const methods: PreparedMethod[] = [];
  for (const { name, option, kinds, prepare } of trusted) {
    const fitting = pool.filter(({ kind }) => kinds.includes(kind));
    const [signature, other] = fitting;
    if (other !== undefined) {
      const names = fitting.map(describeSignature).join(', ');
      throw usageError('USAGE_OPTION', `${option} can judge each of ${names}; name one with --signature or --bundle`);
    }
    if (signature !== undefined) used.add(signature);
    methods.push(signature === undefined ? missing(name, option, file, pool) : await prepare(signature));
  }
  const left = pool.filter((signature) => !used.has(signature));
  const [first] = left;
  if (given.length > 0 && first !== undefined) {
    throw usageError(
      'USAGE_OPTION',
      `nothing was given to check ${describeSignature(first)} with: ${NEEDS[first.kind]}`,
    );
  }
  return { methods, notChecked: left.map(({ path }) => path) };
}

function missing(name: string, option: string, file: string, pool: readonly SignatureFile[]): PreparedMethod {
  const found = pool.length === 0 ? '' : `; there is ${pool.map(describeSignature).join(', ')}`;
  return missingSignature(
    name,
    `no signature of ${escapeForTerminal(file)} that ${option} can judge was found${found}`,
  );
}

/** A signature that holds what it signs. */
export function aloneOnly(): Error {
  return usageError('USAGE_OPTION', 'a signature with the signed text in it is checked alone, without others');
}

function nothingTrusted(file: string, pool: readonly SignatureFile[]): Error {
  const [first] = pool;
  const hint =
    first === undefined
      ? 'there is no signature beside it; name one with --signature or --bundle, or a signed list with --sums'
      : pool.map((found) => `${describeSignature(found)} needs ${NEEDS[found.kind]}`).join('; ');
  const shown = escapeForTerminal(file);
  return usageError('USAGE_OPTION', `say what ${shown} is to be trusted by, from a place of your own: ${hint}`);
}
