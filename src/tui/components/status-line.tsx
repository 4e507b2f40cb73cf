import { Text } from 'ink';
import type { ReactElement } from 'react';
import { statusOf } from '../status.ts';
import type { Theme } from '../theme.ts';
import type { TimelineState } from '../timeline-state.ts';
import type { CaseView } from '../view.ts';

type StatusProps = {
  readonly view: CaseView;
  readonly state: TimelineState;
  /** Digest of the package that the line under the cursor came in. */
  readonly package: string | undefined;
  readonly columns: number;
  readonly theme: Theme;
};

/** Always there: verdict, package, masked or not, how much is shown, and what the questions run behind. */
export function StatusLine({ view, state, package: digest, columns, theme }: StatusProps): ReactElement {
  const { verdict, isGood, rest } = statusOf(view, state, digest, columns, theme);
  return (
    <Text wrap="truncate">
      <Text bold {...(isGood === undefined ? {} : { color: isGood ? theme.good : theme.bad })}>
        {verdict}
      </Text>
      {rest}
    </Text>
  );
}
