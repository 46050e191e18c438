/** The same value, frozen at all levels. */
export function frozen<T>(value: T): T {
  // A view of bytes cannot be frozen.
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value))
    return value;
  Object.freeze(value);
  Object.values(value).forEach(frozen);
  return value;
}
