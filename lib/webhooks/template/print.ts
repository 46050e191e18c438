import { sortedByBytes } from "../../go/text.ts";
import { GoDuration, GoList, GoMap, GoStruct, GoTime, type Value } from "./value.ts";

/** The longest text that one function may make: many times the limit of a body. */
const MAX_CHARS = 4 * 1024 * 1024;

/** fmt.Sprint: adds a space between two values if neither is a string. Throws an Error if the text is too long. */
export function sprint(values: readonly Value[]): string {
  let text = "";
  for (const [index, value] of values.entries()) {
    const isSpaced = index > 0 && typeof value !== "string" && typeof values[index - 1] !== "string";
    text += (isSpaced ? " " : "") + printed(value);
    if (text.length > MAX_CHARS) throw new Error(`makes a text of more than ${MAX_CHARS} characters`);
  }
  return text;
}

/** As `%v` prints it. */
function printed(value: Value): string {
  if (value === undefined || value === null) return "<nil>";
  if (typeof value === "number") return float(value);
  if (value instanceof GoList) return `[${value.items.map(printed).join(" ")}]`;
  if (value instanceof GoMap)
    return `map[${keysOf(value)
      .map((key) => member(value, key))
      .join(" ")}]`;
  if (value instanceof GoStruct) return `{${Array.from(value.fields.values(), printed).join(" ")}}`;
  if (value instanceof GoTime) return time(value);
  if (value instanceof GoDuration) return duration(value.nanoseconds);
  return String(value);
}

/** In the order in which Go prints a map and ranges over it. */
export const keysOf = ({ members }: GoMap): string[] => sortedByBytes([...members.keys()]);

const member = ({ members }: GoMap, key: string) => `${key}:${printed(members.get(key))}`;

/** The shortest digits that identify the number; an exponent below 0.0001, and from 1e+06 upwards. */
function float(value: number): string {
  if (Object.is(value, -0)) return "-0";
  const [digits = "", exponent = ""] = value.toExponential().split("e");
  const power = Number(exponent);
  if (power >= -4 && power < 6) return String(value);
  return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

const time = ({ date, time, fraction, offset }: GoTime) => {
  const zone = offset.replace(":", "");
  return `${date} ${time}${fraction && `.${fraction}`} ${zone ? `${zone} ${zone}` : "+0000 UTC"}`;
};

const SECOND = 1_000_000_000n;
const SMALL_UNITS = [
  [1_000n, "ns", 1n],
  [1_000_000n, "µs", 1_000n],
  [SECOND, "ms", 1_000_000n],
] as const;

/** Such as `1h2m3.5s`; less than a second is printed in a smaller unit. */
function duration(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return "0s";
  const sign = nanoseconds < 0n ? "-" : "";
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const small = SMALL_UNITS.find(([limit]) => size < limit);
  if (small) return `${sign}${decimal(size, small[2])}${small[1]}`;
  const minutes = size / SECOND / 60n;
  const seconds = `${decimal(size % (60n * SECOND), SECOND)}s`;
  if (minutes === 0n) return sign + seconds;
  const hours = minutes / 60n;
  return `${sign}${hours ? `${hours}h` : ""}${minutes % 60n}m${seconds}`;
}

/** Without trailing zeros. */
function decimal(size: bigint, unit: bigint): string {
  const rest = size % unit;
  if (rest === 0n) return String(size / unit);
  const digits = String(unit).length - 1;
  return `${size / unit}.${String(rest).padStart(digits, "0").replace(/0+$/, "")}`;
}
