import { useEffect, useRef, useState } from 'react';

export type Loaded<T> = { readonly key: string; readonly value: T };

/**
 * Loads what a key stands for, one thing at a time: while something loads, only the newest key waits. So a held key
 * asks no more questions than are answered.
 * @param key undefined: nothing is wanted
 * @returns what was loaded last; its key tells whether it is what is wanted now
 */
export function useLatest<T>(
  key: string | undefined,
  load: () => Promise<T>,
  onError: (error: unknown) => void,
): Loaded<T> | undefined {
  const [loaded, setLoaded] = useState<Loaded<T>>();
  const wanted = useRef({ key, load, onError });
  wanted.current = { key, load, onError };
  const pump = useRef({ isRunning: false, isMounted: true, done: undefined as string | undefined });

  useEffect(() => {
    const state = pump.current;
    state.isMounted = true;
    return () => {
      state.isMounted = false;
    };
  }, []);

  useEffect(() => {
    if (key !== undefined) void run(wanted, pump.current, setLoaded);
  }, [key]);

  return loaded;
}

type Wanted<T> = {
  readonly key: string | undefined;
  readonly load: () => Promise<T>;
  readonly onError: (e: unknown) => void;
};
type Pump = { isRunning: boolean; isMounted: boolean; done: string | undefined };

async function run<T>(
  wanted: { readonly current: Wanted<T> },
  pump: Pump,
  setLoaded: (loaded: Loaded<T>) => void,
): Promise<void> {
  if (pump.isRunning) return;
  pump.isRunning = true;
  while (pump.isMounted && wanted.current.key !== undefined && wanted.current.key !== pump.done) {
    const { key, load } = wanted.current;
    try {
      const value = await load();
      if (pump.isMounted) setLoaded({ key, value });
    } catch (error) {
      if (pump.isMounted) wanted.current.onError(error);
    }
    pump.done = key;
  }
  pump.isRunning = false;
}
