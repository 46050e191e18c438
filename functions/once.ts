/** Calls `make` with the first call, and answers the same value from then on. */
export function once<Made>(make: () => Made): () => Made {
  let made: { made: Made } | undefined;
  return () => {
    made ??= { made: make() };
    return made.made;
  };
}
