import type { JsonObject } from "../../json.ts";

/** How a body may be written; docs/events.md shows one of each. */
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

/** The name of a form, as logs and the answer of ingest have it. */
export type Form = (typeof FORMS)[number];

/** What a body says, whatever its form. Nothing of it is checked yet. */
export interface Reading {
  form: Form;
  /** `Type`, `Meta`, `TimeStamp` and whatever else the body has. */
  event: JsonObject;
  /** The publisher's names beside the event. */
  id?: unknown;
  api_id?: unknown;
  org_id?: unknown;
  /** What the id is called where it stands; `id` by default. */
  idPlace?: string;
  /** What a member of the event is called in the body, for the error that names it. */
  place: (member: "Type" | "Meta" | "TimeStamp") => string;
}

/** Reads what a form wraps. `name` is what the text is called in errors. */
export interface Nested {
  /** Throws for a text that is not an object in any form; an object that is not an event comes back as it is. */
  text: (text: string, name: string) => Reading | { unknown: JsonObject };
  object: (value: JsonObject) => Reading | undefined;
}

/** A reading as a part of another one, whose names count where it has none. */
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
