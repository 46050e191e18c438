/** Calls `make` at the first call, and returns the same value from then on. */
export function once<Made>(make: () => Made): () => Made {
  let made: { made: Made } | undefined;
  return () => {
    made ??= { made: make() };
    return made.made;
  };
}
