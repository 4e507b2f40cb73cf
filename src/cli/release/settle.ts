/** What it gives or throws, to be told when its turn comes; an abort is never kept. */
export async function settle<T>(make: () => Promise<T>, signal?: AbortSignal): Promise<() => T> {
  try {
    const value = await make();
    return () => value;
  } catch (error) {
    if (signal?.aborted === true) throw error;
    return () => {
      throw error;
    };
  }
}
