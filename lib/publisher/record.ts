import { crc32 } from "node:zlib";
import type { EventEnvelope } from "../events/event.ts";
import type { Message } from "../events/message.ts";

/** An event in the spool. */
export interface SpoolRecord {
  /** When it was accepted, in ms since 1970. */
  at: number;
  message: Message;
}

/** One line: a checksum, the time, and the body, which as JSON has no line break. Damage is limited to its line. */
export function lineOf(at: number, body: string): string {
  const text = `${at} ${body}`;
  return `${checksum(text)} ${text}\n`;
}

/** Undefined for a line that was not written by `lineOf`. `line` is without its line end. */
export function readLine(line: Buffer): SpoolRecord | undefined {
  const [, sum, text = "", at, body = ""] = /^([0-9a-f]{8}) ((\d+) (.*))$/s.exec(line.toString()) ?? [];
  if (sum === undefined || checksum(text) !== sum) return undefined;
  return { at: Number(at), message: { body, envelope: JSON.parse(body) as EventEnvelope, trimmed: false } };
}

/** CRC-32 of the UTF-8 text in eight hex digits: against damage, not against forgery. */
export const checksum = (text: string) => crc32(text).toString(16).padStart(8, "0");
