import { Command, Option } from 'clipanion';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { releaseStanding } from '../../release/floor.ts';
import { judgeRelease } from '../../release/release-io.ts';
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
      [
        'A Debian archive, down to its packages',
        '$0 release verify InRelease --openpgp debian-archive-keyring.gpg --packages Packages --listed-as main/binary-amd64/Packages --debs debs',
      ],
      ['An npm package', '$0 release verify tool-1.2.3.tgz --npm tool@1.2.3 --npm-signatures tool.json'],
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
  sshRevoked = Option.String('--ssh-revoked', { description: 'refuse the SSH keys in `FILE` (a KRL, or text)' });
  sshNamespace = Option.String('--ssh-namespace', { description: 'made for the namespace `NAME` (default: file)' });
  openpgp = Option.String('--openpgp', { description: 'trust the OpenPGP keys in `KEYRING` (gpg --export)' });
  openpgpSigners = Option.String('--openpgp-signers', {
    description: '`N` of their owners must have signed (default: 1)',
  });
  identity = Option.String('--identity', { description: 'it must be signed by `WHO`' });
  key = Option.String('--key', { description: 'trust the public key in `KEY` (PEM, SPKI)' });
  sums = Option.String('--sums', { description: 'what was signed is the list of checksums `FILE`' });
  listedAs = Option.String('--listed-as', { description: 'FILE, or INDEX, is `PATH` in the list' });
  sumsRoot = Option.String('--sums-root', { description: 'FILE is the list; its files are in `DIR`' });
  packages = Option.String('--packages', { description: 'the list has `INDEX` (Packages), which has FILE, a .deb' });
  debs = Option.String('--debs', { description: 'FILE is the list; what is in `DIR` is in INDEX' });
  provenance = Option.String('--provenance', { description: 'check the SLSA provenance in `FILE`' });
  policy = Option.String('--policy', { description: 'it must say what `POLICY` asks for' });
  sbom = Option.String('--sbom', { description: 'check the files that the signed list `SBOM` has' });
  sbomRoot = Option.String('--sbom-root', { description: 'these files are in `DIR`' });
  floor = Option.String('--floor', { description: 'it is at least `MOMENT` (2027-01-31)' });

  npm = Option.String('--npm', { description: 'it must be the npm `PACKAGE`, as NAME@VERSION' });
  npmSignatures = Option.String('--npm-signatures', {
    description: 'signed by the registry, as `FILE` says (npm view --json)',
  });
  npmKeys = Option.String('--npm-keys', {
    description: "trust the registry's keys in `FILE` (default: npm's, which ship)",
  });

  async run(): Promise<ExitCode> {
    const standing = await releaseStanding(this.dataDirectory, this.floor, this.now);
    const watch = { signal: this.signal, progress: this.progress('verifying', { unit: 'bytes' }).update };
    const report = await judgeRelease(this, standing, watch);
    this.result(report, renderReport(report, this.style));
    return report.verdict === 'trusted' ? EXIT.done : EXIT.untrusted;
  }
}
