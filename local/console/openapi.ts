/** A parameter in braces is of the path; `?` names those of the query. */
const ROUTES: [route: string, what: string][] = [
  ["GET /state", "what this console shows, and of what"],
  ["GET /events?q&cursor&limit", "events that a filter fits, the newest first"],
  ["POST /events", "sends events: {events: [{api_id, event}], times?, rate?}"],
  ["POST /events/check", "checks what POST /events would send, and sends nothing"],
  ["GET /events/{id}?api", "one event with all of its attempts"],
  ["GET /events/{id}/attempts/{n}?api", "one attempt"],
  ["GET /events/{id}/export?api", "the event as the file of a test"],
  ["POST /events/{id}/send?api", "sends it again, as another event: {edit?}"],
  [
    "POST /events/{id}/rerun?api",
    "runs it again, dry: {attempt?, release?, http?, edit?}; edit is another event in its place, release is a version, live or working",
  ],
  ["POST /events/{id}/pin?api", "has each save run it again, or no more: {on}"],
  ["GET /tail?q&since", "server-sent events: what changes from now on, or since a position"],
  ["GET /types?api&key", "the gateway's types of events with a sample of each, and who handles them"],
  ["POST /tests", "writes the file of a test below tests/: {event, api?, attempt?, name}"],
  [
    "GET /sessions?org_id&alias&expires_after&expires_before&limit&cursor",
    "sessions of an organisation or an alias",
  ],
  ["GET /sessions/{key}", "one session, with its entity tag"],
  ["PUT /sessions/{key}?suppress_reset", "stores a session; If-Match is required"],
  ["DELETE /sessions/{key}", "deletes a session; If-Match is required"],
  ["GET /sessions/{key}/history", "what recorded events did to it"],
  ["POST /sessions/compare", "what two made of one session: {base, mine, theirs}"],
  ["GET /releases", "releases, the newest upload first"],
  ["GET /releases/{a}/diff/{b}", "what differs from one release to another; live is the one in use"],
  ["POST /releases/{version}/rollback", "makes an older release live: {expect_live}"],
  ["POST /releases/{version}/try", "runs the newest recorded events on it, dry: {last?}: a job"],
  ["GET /dead-letters", "how many there are, and the groups of recorded events"],
  ["POST /dead-letters/sweep", "reads the queue to its end: a job"],
  ["POST /selections", "freezes the letters of a group: {group}, or of events: {events}"],
  [
    "POST /dead-letters/try",
    "runs recorded events of a group again, dry, on the live release: {group, count?}: a job",
  ],
  ["POST /dead-letters/redrive", "sends a selection again: {selection, rate}: a job"],
  ["POST /dead-letters/delete", "deletes a selection for good: {selection}: a job"],
  ["GET /jobs/{id}", "how far a job is"],
  ["DELETE /jobs/{id}", "stops a job"],
  ["GET /overview?window", "figures of 15m, 1h, 6h or 1d"],
];

const parameter = (where: "path" | "query") => (name: string) => ({
  name,
  in: where,
  required: where === "path",
  schema: { type: "string" },
});

function operation(route: string, summary: string) {
  const [method = "", address = ""] = route.split(" ");
  const [path = "", query = ""] = address.split("?");
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const parameters = [
    ...inPath.map(parameter("path")),
    ...query.split("&").filter(Boolean).map(parameter("query")),
  ];
  const hasBody = /\{[^}]*\}$/.test(summary) || method === "PUT";
  const body = { content: { "application/json": { schema: { type: "object" } } } };
  const responses = { default: { description: "JSON; an error is {error: {code, message, field?}}" } };
  return {
    path,
    method: method.toLowerCase(),
    operation: { summary, parameters, ...(hasBody && { requestBody: body }), responses },
  };
}

function pathsOf(operations: ReturnType<typeof operation>[]) {
  const paths: Record<string, Record<string, object>> = {};
  for (const { path, method, operation } of operations) {
    paths[path] ??= {};
    paths[path][method] = operation;
  }
  return paths;
}

/** The description of the API, for programs. */
export const OPENAPI = {
  openapi: "3.1.0",
  info: { title: "gatehook's console", version: "1" },
  servers: [{ url: "/console/api/v1" }],
  components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
  security: [{ token: [] }],
  paths: pathsOf(ROUTES.map(([route, what]) => operation(route, what))),
};
