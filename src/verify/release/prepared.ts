import { type Check, failed, passed, type Signer } from '../../core/checks.ts';
import { DaemonEyeError } from '../../core/errors.ts';
import { reasonOf } from '../errors.ts';
import type { Message, MessageHash } from './message.ts';
import type { MethodOutcome } from './method.ts';

/** What a method has to be told of the message: hashes, or all of it. */
export type MessageNeed = MessageHash | 'whole';

/** One signature with the trust to judge it by, ready for the message. */
export type PreparedMethod = {
  /** Of its check, or the first of its checks. */
  readonly name: string;
  readonly needs: readonly MessageNeed[];
  readonly verify: (message: Message) => MethodOutcome;
  /** The signed text where it travels in the signature file itself; then that is the message. */
  readonly embedded?: Uint8Array;
};

type Found = { readonly reason: string; readonly signers: readonly Signer[]; readonly detail?: Check['detail'] };

/** A method that has no signature to judge. */
export function missingSignature(name: string, reason: string): PreparedMethod {
  return { name, needs: [], verify: () => ({ checks: [failed(name, 'SIGNATURE_MISSING', reason)], signers: [] }) };
}

type Readied = {
  readonly needs: readonly MessageNeed[];
  readonly judge: (message: Message) => Found;
  readonly embedded?: Uint8Array;
};

/** A signature that can't be read is a failed check, not an error: it is the publisher's, or an attacker's. */
export function prepare<T>(
  name: string,
  signature: Uint8Array,
  parse: (bytes: Uint8Array) => T,
  ready: (parsed: T) => Readied,
): PreparedMethod {
  let readied: Readied;
  try {
    readied = ready(parse(signature));
  } catch (error) {
    const refusal = refused(name, error);
    return { name, needs: [], verify: () => refusal };
  }
  const { needs, judge, embedded } = readied;
  return {
    name,
    needs,
    verify: (message) => {
      try {
        const { reason, signers, detail } = judge(message);
        return { checks: [passed(name, reason, detail)], signers };
      } catch (error) {
        return refused(name, error);
      }
    },
    ...(embedded === undefined ? {} : { embedded }),
  };
}

function refused(name: string, error: unknown): MethodOutcome {
  if (!(error instanceof DaemonEyeError)) throw error;
  return { checks: [failed(name, error.code, reasonOf(error))], signers: [] };
}
