import type { Time } from '../../core/time.ts';
import type { PreparedMethod } from '../../verify/release/prepared.ts';
import type { Trusted } from './choose.ts';

/** What lies where, as the command line says it. */
export type ReleaseFiles = {
  readonly file: string;
  /** Signatures that the command line names. */
  readonly signatures: readonly string[];
  /** A list of checksums that was signed instead of the file. */
  readonly sums?: string | undefined;
  /** The path in the list of the file, or of the index of packages that has it. */
  readonly listedAs?: string | undefined;
  readonly packages?: string | undefined;
  /** Where files lie that the list has, and packages that the index has: FILE is the list then. */
  readonly sumsRoot?: string | undefined;
  readonly debs?: string | undefined;
  /** A bill of materials, which may be the file itself, and where the files lie that it lists. */
  readonly sbom?: string | undefined;
  readonly sbomRoot?: string | undefined;
};

export type ReleaseRequest = ReleaseFiles & {
  readonly trusted: readonly Trusted[];
  /** About the file itself, whatever else was signed. */
  readonly about: AboutArtifact;
  readonly floor: Time;
};

/** What is said of the artifact apart from signatures over it. */
export type AboutArtifact = {
  readonly methods: readonly PreparedMethod[];
  /** Whether the trust in a sigstore identity or key judges one of them. */
  readonly usesSigstore: boolean;
};
