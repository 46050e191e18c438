/** Makes it when it is first asked for, and answers the same from then on. */
export function once<Made>(make: () => Made): () => Made {
  let made: { made: Made } | undefined;
  return () => {
    made ??= { made: make() };
    return made.made;
  };
}
