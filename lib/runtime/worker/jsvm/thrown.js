// Tells what a script threw, inside the sandbox and in the script's own time: it may be a proxy, have getters that
// never end, or be as large as the memory.
(core) => {
  const { uncurry, text, cut, stringify, errorChars } = core;
  const { getPrototypeOf, keys } = Object;
  const { isArray } = Array;
  const inherits = uncurry(Object.prototype.isPrototypeOf);
  const callOn = uncurry(Function.prototype.call);
  const errors = Error.prototype;
  const engineErrors = InternalError.prototype;
  const objectText = Object.prototype.toString;
  const arrayText = Array.prototype.toString;
  const DEPTH = 20;

  const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";
  const isShown = (value) => value !== undefined && typeof value !== "function" && typeof value !== "symbol";
  const short = (value) => cut(text(value), errorChars);
  const attempt = (work, otherwise) => {
    try {
      return work();
    } catch {
      return otherwise;
    }
  };

  /** Why an object is not shown where it stands: `above` are those it is in. */
  const notShown = (value, above) => {
    let depth = 0;
    for (let up = above; up; up = up.above) {
      if (up.value === value) return '"[circular]"';
      depth += 1;
    }
    return depth > DEPTH ? '"[deep]"' : "";
  };

  // By hand: JSON.stringify stops for nothing, neither a deadline nor a size.
  const jsonOf = (whole) => {
    let out = "";
    const isFull = () => out.length > errorChars;
    const writeMembers = (value, above) => {
      const here = { __proto__: null, value, above };
      const names = isArray(value) ? undefined : keys(value);
      const { length } = names ?? value;
      let comma = "";
      for (let index = 0; index < length && !isFull(); index += 1) {
        const member = attempt(() => value[names ? names[index] : index]);
        if (names && !isShown(member)) continue;
        out += comma;
        if (names) out += `${stringify(cut(names[index], errorChars))}:`;
        comma = ",";
        write(member, here);
      }
    };
    const write = (given, above) => {
      if (isFull()) return;
      const value = attempt(() => {
        const toJson = isObject(given) ? given.toJSON : undefined;
        return typeof toJson === "function" ? callOn(toJson, given) : given;
      }, given);
      if (typeof value === "string") out += stringify(cut(value, errorChars));
      else if (!isShown(value)) out += "null";
      else if (!isObject(value)) out += text(value);
      else if (notShown(value, above)) out += notShown(value, above);
      else {
        out += isArray(value) ? "[" : "{";
        writeMembers(value, above);
        out += isArray(value) ? "]" : "}";
      }
    };
    attempt(() => write(whole, undefined));
    return cut(out, errorChars);
  };

  /** In its own words, where it has any; an object that has none, as most that are thrown, as JSON. */
  const wordsOf = (value) => {
    if (!isObject(value)) return short(value);
    const own = attempt(() => value.toString);
    const isMute = typeof own !== "function" || own === objectText || own === arrayText;
    return (isMute && jsonOf(value)) || short(value);
  };
  const member = (value, name) =>
    attempt(() => {
      const found = value[name];
      return found === undefined ? "" : wordsOf(found);
    }, "");

  return (value) => {
    const isError = isObject(value) && attempt(() => inherits(errors, value), false);
    const name = isError ? member(value, "name") : "";
    const message = isError ? member(value, "message") : "";
    return {
      __proto__: null,
      // Where it has no memory left for an error, the engine throws null.
      engine: value === null || (isError && attempt(() => getPrototypeOf(value) === engineErrors, false)),
      name,
      message: name || message ? message : wordsOf(value),
      stack: isError ? member(value, "stack") : "",
    };
  };
};
