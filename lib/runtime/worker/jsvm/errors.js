// Errors as the gateway's engine makes them: JSON.stringify and Object.keys show their message, and the name of one
// that is a plain Error.
() => {
  const { construct } = Reflect;
  const { defineProperty, getOwnPropertyDescriptor, hasOwn, keys, setPrototypeOf } = Object;
  const uncurry = Function.prototype.bind.bind(Function.prototype.call);
  const indexOf = uncurry(String.prototype.indexOf);
  const slice = uncurry(String.prototype.slice);
  const Plain = Error;
  const hidden = (value) => ({
    __proto__: null,
    value,
    writable: true,
    enumerable: false,
    configurable: true,
  });
  const shown = (value) => ({ __proto__: null, value, writable: true, enumerable: true, configurable: true });

  /** Two lines of a new error's stack are of the function below. */
  const withoutOwnLines = (stack) => {
    const second = indexOf(stack, "\n", indexOf(stack, "\n") + 1);
    return slice(stack, second + 1);
  };

  const wrap = (name) => {
    const Base = globalThis[name];
    const { prototype } = Base;
    function Wrapped(...given) {
      const target = new.target || Wrapped;
      const error = construct(Base, given, target);
      const own = getOwnPropertyDescriptor(error, "stack");
      if (own && typeof own.value === "string")
        defineProperty(error, "stack", hidden(withoutOwnLines(own.value)));
      const message = getOwnPropertyDescriptor(error, "message");
      if (message) defineProperty(error, "message", shown(message.value));
      // A class may name itself by its prototype.
      if (target === Wrapped && Base === Plain) defineProperty(error, "name", shown(name));
      return error;
    }
    for (const member of ["name", "length", "isError"]) {
      const inherited = getOwnPropertyDescriptor(Base, member);
      if (inherited) defineProperty(Wrapped, member, inherited);
    }
    defineProperty(Wrapped, "prototype", { __proto__: null, value: prototype, writable: false });
    defineProperty(prototype, "constructor", hidden(Wrapped));
    defineProperty(globalThis, name, hidden(Wrapped));
    return Wrapped;
  };

  const PlainWrapped = wrap("Error");
  for (const name of ["EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError"])
    setPrototypeOf(wrap(name), PlainWrapped);

  // The engine's own errors are not made by these functions, and their message is a hidden member.
  const toJSON = function () {
    const members = {};
    if (hasOwn(this, "message")) defineProperty(members, "message", shown(this.message));
    const names = keys(this);
    for (let index = 0; index < names.length; index += 1)
      defineProperty(members, names[index], shown(this[names[index]]));
    return members;
  };
  defineProperty(Plain.prototype, "toJSON", hidden(toJSON));
};
