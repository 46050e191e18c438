import { GB, PRICE } from "../shared/prices.ts";
import type { Units } from "../shared/units.ts";

/**
 * The time that Lambda bills, in ms. It is assumed, since it cannot be measured here; the REPORT lines of a
 * deployment's log show the real one.
 */
const INGEST = { ms: 10, mb: 512 };
const CONSUMER = { ms: 100, mb: 1_024 };
const BATCH = 10;

/** The cost of a million events. */
export interface Bill {
  rows: { what: string; amount: string; price: string; usd: number }[];
  sum: number;
  /** With ingest's own URL in place of the HTTP API. */
  without_http_api: number;
}

const MILLION = 1_000_000;
const cents = (usd: number) => Math.round(usd * 100) / 100;
const count = (number: number) => Math.round(number).toLocaleString("en");
const million = (price: number) => {
  const text = String(Number((price * MILLION).toFixed(4)));
  return `${text.length > 4 ? text : Number(text).toFixed(2)} a million`;
};

function invocations({ ms, mb }: { ms: number; mb: number }, number: number) {
  const gbSeconds = (number * ms * mb) / 1_000 / 1_024;
  return {
    amount: `${count(number)} invocations of ${ms} ms at ${count(mb)} MB: ${count(gbSeconds)} GB-s`,
    price: `${million(PRICE.invocation)}, ${PRICE.gbSecond.toFixed(7)} a GB-s`,
    usd: number * PRICE.invocation + gbSeconds * PRICE.gbSecond,
  };
}

export function billOf(measured: Units & { ingest_log_bytes: number }): Bill {
  const { write_units, read_units, writes, log_bytes, ingest_log_bytes } = measured;
  const logGb = ((log_bytes + ingest_log_bytes) * MILLION) / GB;
  const parts = [
    `session ${writes.sessions}`,
    `its indexes ${writes.indexes}`,
    `ledger entry ${writes.ledger}`,
  ].join(", ");
  const rows = [
    {
      what: "HTTP API, if the gateway's webhooks go through it",
      amount: `${count(MILLION)} requests`,
      price: `${million(PRICE.httpRequest)}`,
      usd: MILLION * PRICE.httpRequest,
    },
    { what: "ingest, if the gateway's webhooks are used", ...invocations(INGEST, MILLION) },
    {
      what: "SQS",
      amount: `${count(MILLION)} sends, ${count(MILLION / BATCH)} receives, ${count(MILLION / BATCH)} deletes`,
      price: million(PRICE.sqsRequest),
      usd: MILLION * (1 + 2 / BATCH) * PRICE.sqsRequest,
    },
    { what: "consumer", ...invocations(CONSUMER, MILLION / BATCH), price: "as above" },
    {
      what: "DynamoDB, writes",
      amount: `${parts}: ${count(MILLION * write_units)} units`,
      price: million(PRICE.writeUnit),
      usd: MILLION * write_units * PRICE.writeUnit,
    },
    {
      what: "DynamoDB, reads",
      amount: `session, ledger entry and, once a batch, live release: ${count(MILLION * read_units)} units`,
      price: million(PRICE.readUnit),
      usd: MILLION * read_units * PRICE.readUnit,
    },
    {
      what: "CloudWatch Logs, level `INFO`",
      amount: `${count(log_bytes)} bytes an event by the consumer, ${count(ingest_log_bytes)} by ingest: ${logGb.toFixed(2)} GB`,
      price: `${PRICE.logGb.toFixed(2)} a GB`,
      usd: logGb * PRICE.logGb,
    },
  ].map((row) => ({ ...row, usd: cents(row.usd) }));
  const sum = cents(rows.reduce((all, { usd }) => all + usd, 0));
  return { rows, sum, without_http_api: cents(sum - MILLION * PRICE.httpRequest) };
}
