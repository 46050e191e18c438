// node test/helpers/kept-stack.ts FOLDER: a stack that keeps its data in this folder, until it is killed. When it has a
// session, a release and an event that was not consumed, it prints the version of that release; an error is printed to
// standard error.
import { startTestStack } from "./stack.ts";

export const SESSION = { org_id: "o", access_rights: { demo: { api_id: "demo" } }, expires: 5 };
export const EVENT = { id: "e1", event: { Type: "KeyExpired", Meta: { Key: "k" }, TimeStamp: "" } };

export async function keepSomething(persist: string) {
  const stack = await startTestStack({ env: {}, prefix: "kept", persist, consumers: [] });
  await stack.storeSession("k", SESSION);
  const answer = await stack.post("demo", JSON.stringify(EVENT));
  if (answer.status !== 202) throw new Error(await answer.text());
  return stack;
}

if (import.meta.main) {
  try {
    const stack = await keepSomething(process.argv[2] ?? "");
    console.log(await stack.releases.liveVersion());
    await stack.broken;
  } catch (thrown) {
    console.error((thrown as Error).message);
    process.exit(1);
  }
}
