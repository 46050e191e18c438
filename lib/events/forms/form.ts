import type { JsonObject } from "../../json.ts";

/** The formats of a body; docs/events.md shows an example of each. */
export const FORMS = [
  "plain",
  "script",
  "backquote",
  "members",
  "form",
  "default",
  "breaker",
  "monitor",
  "host-check",
  "dispatcher",
  "cloudevents",
  "sns",
  "eventbridge",
] as const;

/** The name of a format in logs and in the answer of ingest. */
export type Form = (typeof FORMS)[number];

/** The content of a body of any format, not yet checked. */
export interface Reading {
  form: Form;
  /** `Type`, `Meta`, `TimeStamp` and all other members of the body. */
  event: JsonObject;
  /** The publisher's names in addition to the event. */
  id?: unknown;
  api_id?: unknown;
  org_id?: unknown;
  /** The name of the id in the body; `id` by default. */
  idPlace?: string;
  /** The name of a member of the event in the body, for errors. */
  place: (member: "Type" | "Meta" | "TimeStamp") => string;
}

/** Reads the content that a format wraps. `name`: the name of the text in errors. */
export interface Nested {
  /** Throws for a text that is not an object in any format; an object that is not an event is returned unchanged. */
  text: (text: string, name: string) => Reading | { unknown: JsonObject };
  object: (value: JsonObject) => Reading | undefined;
}

/** A reading as a part of another one, whose names are used if it has none. */
export function within(
  inner: Reading,
  outer: Pick<Reading, "form" | "id" | "api_id" | "org_id"> & { at: string },
): Reading {
  const { form, at, id, api_id, org_id } = outer;
  return {
    ...inner,
    form,
    id: inner.id ?? id,
    api_id: inner.api_id ?? api_id,
    org_id: inner.org_id ?? org_id,
    place: (member) => `${at}.${inner.place(member)}`,
  };
}
