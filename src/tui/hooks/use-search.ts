import { type Dispatch, useEffect } from 'react';
import { messageOf } from '../../core/errors.ts';
import type { TimelineSource } from '../timeline-source.ts';
import type { TimelineAction } from '../timeline-state.ts';

/** Runs the search that the state asks for; one that nobody waits for any more is cancelled. */
export function useSearch(
  source: TimelineSource,
  needle: string | undefined,
  total: number,
  dispatch: Dispatch<TimelineAction>,
): void {
  useEffect(() => {
    if (needle === undefined) return;
    const controller = new AbortController();
    const { signal } = controller;
    const onProgress = (share: number) => {
      if (!signal.aborted) dispatch({ kind: 'searched', share });
    };
    source.search(needle, { total, signal, onProgress }).then(
      (rows) => dispatch({ kind: 'found', needle, rows }),
      (error: unknown) => {
        if (!signal.aborted) dispatch({ kind: 'failed', reason: messageOf(error) });
      },
    );
    return () => controller.abort();
  }, [source, needle, total, dispatch]);
}
