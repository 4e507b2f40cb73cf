import { Command, Option } from 'clipanion';
import type { Report } from '../../../core/checks.ts';
import type { Time } from '../../../core/time.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { isDirectory } from '../../files-io.ts';
import { releaseFloor } from '../../release/floor.ts';
import { verifyImage } from '../../release/image-io.ts';
import { readProvenance } from '../../release/provenance-io.ts';
import { readTrusted } from '../../release/trusted.ts';
import { verifyRelease } from '../../release/verify-io.ts';
import { renderReport } from '../../render/report.ts';

export class ReleaseVerify extends DaemonCommand {
  static override paths = [['release', 'verify']];
  static override usage = Command.Usage({
    description:
      "Verify somebody else's release, offline, and print every check. Exit code 0 if it is trusted, 3 if not.",
    details:
      'Signatures are found beside FILE, or named with --signature; what kind each is, its content tells. What to trust ' +
      'is always given here: never put it where the release came from.',
    examples: [
      ['Signed with minisign', '$0 release verify tool.tar.gz --minisign vendor.pub'],
      [
        'Signed with an SSH key',
        '$0 release verify tool.tar.gz --ssh-signers allowed_signers --identity dev@example.org',
      ],
      ['A signed list of checksums', '$0 release verify tool.tar.gz --sums SHA256SUMS --minisign vendor.pub'],
    ],
  });

  file = Option.String({ name: 'FILE' });
  signatures = Option.Array('--signature', [], { description: 'check the signature in `FILE`; repeatable' });
  bundle = Option.String('--bundle', { description: 'check the sigstore bundle in `FILE`' });
  trustedRoot = Option.String('--trusted-root', { description: 'trust the sigstore root in `FILE`, or public-good' });
  issuer = Option.String('--issuer', { description: 'the identity must be vouched for by `URL`' });
  identityRegexp = Option.String('--identity-regexp', { description: 'all of the identity must match `PATTERN`' });
  withoutLog = Option.Boolean('--without-log', false, { description: 'a bundle by --key need be in no log' });
  image = Option.String('--image', { description: 'the image `NAME` or sha256:… of several in FILE, an OCI layout' });
  minisign = Option.String('--minisign', { description: 'trust the minisign key in `KEY`, or RW… itself' });
  signify = Option.String('--signify', { description: 'trust the signify key in `KEY`' });
  sshSigners = Option.String('--ssh-signers', { description: 'trust the SSH keys in the allowed signers `FILE`' });
  sshRevoked = Option.String('--ssh-revoked', { description: 'refuse the SSH keys in `FILE`' });
  sshNamespace = Option.String('--ssh-namespace', { description: 'made for the namespace `NAME` (default: file)' });
  identity = Option.String('--identity', { description: 'it must be signed by `WHO`' });
  key = Option.String('--key', { description: 'trust the public key in `KEY` (PEM, SPKI)' });
  sums = Option.String('--sums', { description: 'what was signed is the list of checksums `FILE`' });
  provenance = Option.String('--provenance', { description: 'check the SLSA provenance in `FILE`' });
  policy = Option.String('--policy', { description: 'it must say what `POLICY` asks for' });
  sbom = Option.String('--sbom', { description: 'check the files that the signed list `SBOM` has' });
  sbomRoot = Option.String('--sbom-root', { description: 'these files are in `DIR`' });
  floor = Option.String('--floor', { description: 'it is at least `MOMENT` (2027-01-31)' });

  async run(): Promise<ExitCode> {
    const floor = await releaseFloor(this.dataDirectory, this.floor, this.now);
    const report = isDirectory(this.file) ? await this.#image(floor) : await this.#file(floor);
    this.result(report, renderReport(report, this.style));
    return report.verdict === 'trusted' ? EXIT.done : EXIT.untrusted;
  }

  /** An OCI layout: its signatures lie in it, and are sigstore's. */
  async #image(floor: Time): Promise<Report> {
    const others = [
      this.minisign,
      this.signify,
      this.sshSigners,
      this.sums,
      this.sbom,
      this.bundle,
      ...this.signatures,
    ];
    if (others.some((given) => given !== undefined)) {
      throw usageError('USAGE_OPTION', 'an image in a directory is judged by the sigstore signatures in it alone');
    }
    return verifyImage(this, floor, this.signal);
  }

  async #file(floor: Time): Promise<Report> {
    if (this.image !== undefined) throw usageError('USAGE_OPTION', '--image names one in an OCI layout directory');
    const { file, sums, sbom, sbomRoot, signal } = this;
    const signatures = this.bundle === undefined ? this.signatures : [...this.signatures, this.bundle];
    const trusted = await readTrusted(this, floor);
    const provenance = await readProvenance(this);
    const watch = { signal, progress: this.progress('verifying', { unit: 'bytes' }).update };
    const request = { file, trusted, signatures, sums, sbom, sbomRoot, provenance, floor };
    return verifyRelease(request, watch);
  }
}
