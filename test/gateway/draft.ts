import { formatSession, parseSession, type Session } from "../../lib/sessions/session.ts";

type Mutable<T> = T extends object ? { -readonly [Name in keyof T]: Mutable<T[Name]> } : T;

/** A session that the gateway works on: sessions of ours are never changed, but a gateway changes its own in place. */
export type Draft = Mutable<Session>;

/** Throws what `parseSession` throws. */
export const draftOf = (text: string): Draft => structuredClone(parseSession(text)) as Draft;

/** As it is now: what was printed once is taken to stay as it is. */
export const printDraft = (draft: Draft): string => formatSession({ ...draft });
