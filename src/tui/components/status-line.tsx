import { Text } from 'ink';
import type { ReactElement } from 'react';
import { fitCells } from '../cells.ts';
import type { Theme } from '../theme.ts';
import { shownCount, type TimelineState } from '../timeline-state.ts';
import type { CaseView } from '../view.ts';

type StatusProps = {
  readonly view: CaseView;
  readonly state: TimelineState;
  /** Digest of the package that the line under the cursor came in. */
  readonly package: string | undefined;
  readonly columns: number;
  readonly theme: Theme;
};

/** Always there: verdict, package, masked or not, what the questions run behind, and how much is shown. */
export function StatusLine({ view, state, package: digest, columns, theme }: StatusProps): ReactElement {
  const held = view.packages.get(digest ?? '');
  const isTrusted = held?.verdict === 'trusted';
  const verdict = held === undefined ? 'no package' : `${isTrusted ? theme.pass : theme.fail} ${held.verdict}`;
  const place = state.total === 0 ? 0 : state.selected + 1;
  const counts = `line ${place}, ${shownCount(state)} / ${state.total} shown`;
  const found = state.found === undefined ? [] : [`/${state.needle}`];
  const rest = [held?.name ?? view.name, 'masked', counts, ...found, view.fence].join(` ${theme.bar} `);
  const head = fitCells(verdict, Math.min(columns, verdict.length), theme.ellipsis);
  return (
    <Text wrap="truncate">
      <Text bold {...(held === undefined ? {} : { color: isTrusted ? theme.good : theme.bad })}>
        {head}
      </Text>
      {fitCells(` ${theme.bar} ${rest}`, columns - verdict.length, theme.ellipsis)}
    </Text>
  );
}
