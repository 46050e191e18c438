import { signal } from "@preact/signals";
import type { ErrorAnswer, Job } from "./answers.ts";

const API = "/console/api/v1";

/** Undefined: the user must open the printed link. */
export const token = signal<string | undefined>(undefined);

const STORED = "gatehook-token";

/** From the link, from which it is then removed, or from an earlier page in this tab. */
export function takeToken(): void {
  const [, given] = /^#token=([\w-]{20,})$/.exec(location.hash) ?? [];
  if (given !== undefined) {
    sessionStorage.setItem(STORED, given);
    history.replaceState(history.state, "", location.pathname + location.search);
  }
  token.value = sessionStorage.getItem(STORED) ?? undefined;
}

/** The text may be a whole link; false if it has no token. */
export function bringToken(text: string): boolean {
  const [, given] = /(?:#token=|^)([\w-]{20,})\s*$/.exec(text.trim()) ?? [];
  if (given === undefined) return false;
  sessionStorage.setItem(STORED, given);
  token.value = given;
  return true;
}

/** An error of the server, or the reason why it did not answer. */
export class RequestError extends Error {
  readonly status: number;
  readonly code: string;
  readonly field: string | undefined;

  constructor(status: number, { error }: ErrorAnswer) {
    super(error.message);
    this.status = status;
    this.code = error.code;
    this.field = error.field;
  }
}

export interface Asked {
  body?: unknown;
  /** Sent unchanged, instead of `body`. */
  text?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export async function request(method: string, path: string, asked: Asked = {}): Promise<Response> {
  const { body, text, headers, signal } = asked;
  const answer = await fetch(API + path, {
    method,
    headers: { authorization: `Bearer ${token.value}`, ...headers },
    body: text ?? (body === undefined ? null : JSON.stringify(body)),
    signal: signal ?? null,
  }).catch((thrown: unknown) => {
    if (signal?.aborted) throw thrown;
    throw new RequestError(0, { error: { code: "link-lost", message: "gatehook does not answer" } });
  });
  if (answer.ok) return answer;
  const answered = (await answer.json().catch(() => undefined)) as ErrorAnswer | undefined;
  if (answer.status === 401) {
    sessionStorage.removeItem(STORED);
    token.value = undefined;
  }
  const fallback = { error: { code: "internal", message: `gatehook answered ${answer.status}` } };
  throw new RequestError(answer.status, answered?.error ? answered : fallback);
}

export async function ask<Answer>(method: string, path: string, asked?: Asked): Promise<Answer> {
  return (await request(method, path, asked)).json() as Promise<Answer>;
}

export const get = <Answer>(path: string, signal?: AbortSignal) =>
  ask<Answer>("GET", path, signal ? { signal } : {});

const LOOK_MS = 300;

/** Calls `set` with the state of a job until it has ended. */
export async function followJob(started: Job, set: (job: Job) => void): Promise<void> {
  for (let job = started; ; job = await get<Job>(`/jobs/${job.id}`)) {
    set(job);
    if (job.state !== "running") return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

export const messageOf = (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown));

/** `/events/ID?api=…`; encodes the values. */
export const eventPath = ({ id, api_id }: { id: string; api_id: string }, rest = "") =>
  `/events/${encodeURIComponent(id)}${rest}?${new URLSearchParams({ api: api_id })}`;
