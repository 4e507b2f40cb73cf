import { Command } from 'clipanion';
import { RELEASE } from '../../../core/release.ts';
import { readInstall } from '../../../install/install-io.ts';
import { loadRootHistory } from '../../../install/root-store-io.ts';
import { pinHistory, sayPinChange } from '../../../verify/release-pins.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { viewPins } from '../../release/pinned-list-io.ts';

export class ReleaseRootsUpdate extends DaemonCommand {
  static override paths = [['release', 'roots', 'update']];
  static override usage = Command.Usage({
    description: 'Tell what newer trust roots changed of the pinned files, and what is still to be brought here.',
    details:
      'Nothing is fetched: newer roots and their files arrive with "bundle apply". A newer root counts as soon as any ' +
      'bundle brought it; a file that it pins and that is not here has to come in a bundle of kind trust.',
    examples: [['What was rotated', '$0 release roots update']],
  });

  async run(): Promise<ExitCode> {
    const { layout, state } = await readInstall(this.dataDirectory, RELEASE.builtAt);
    const history = loadRootHistory(layout, state);
    const changes = pinHistory(history);
    const [from = 0, to = 0] = [history[0]?.version, history.at(-1)?.version];
    const wanting = viewPins(layout, history, state.floor)
      .filter(({ file, standing }) => file !== 'here' || standing === 'ended' || standing === 'ends-soon')
      .map(({ name, kind, sha256, file, standing, until }) => {
        const dates = { ...(standing === undefined ? {} : { standing }), ...(until === undefined ? {} : { until }) };
        return { name, kind, sha256, file, ...dates };
      });
    const told = changes.map((step) => `version ${step.version}: ${sayPinChange(step)}`);
    this.result(
      { from, to, changes, wanting },
      [
        `trust root versions ${from} to ${to}`,
        ...(told.length === 0 ? ['no pinned file was changed'] : told),
        ...wanting.map(({ name, sha256, file, until }) =>
          file === 'here'
            ? `needs a successor: ${name}, which counts until ${until}`
            : `to be brought here: ${name}, sha256:${sha256} (${file})`,
        ),
      ].join('\n'),
    );
    return wanting.some(({ file }) => file === 'changed') ? EXIT.tampered : EXIT.done;
  }
}
