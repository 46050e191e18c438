import { metaOf, withPartial } from "./families.ts";
import type { Reading } from "./form.ts";

const START = /^[A-Za-z_][\w.]*=/;
const TYPE = /(?:^|&)Type=/;

/** `Type={{.Type | urlquery}}&TimeStamp=…&Message=…`: for gateways behind a firewall that blocks `<script>`. */
export function readFormEncoded(text: string): Reading | undefined {
  if (!START.test(text) || !TYPE.test(text)) return undefined;
  // The template language writes a + for a space, escaped as in HTML; a + of the value itself is %2B.
  const members = new Map(new URLSearchParams(text.replaceAll("&#43;", "+")));
  const take = (name: string) => {
    const value = members.get(name);
    members.delete(name);
    return value;
  };
  const [Type, TimeStamp = "", id, api_id, org_id] = ["Type", "TimeStamp", "id", "api_id", "org_id"].map(
    take,
  );
  const event = withPartial({ Type, Meta: metaOf(Type, [...members]), TimeStamp });
  return { form: "form", id, api_id, org_id, event, place: (member) => member };
}
