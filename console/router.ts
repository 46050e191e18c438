import { signal } from "@preact/signals";

const SCREENS = ["events", "sessions", "releases", "dead-letters", "overview", "send"] as const;
export type Screen = (typeof SCREENS)[number];

/** The state of the page, which is completely in its address. */
export interface Route {
  screen: Screen;
  /** The open event, session key, release or group. */
  id: string | undefined;
  query: Record<string, string>;
}

const BASE = "/console";

function routeOf({ pathname, search }: Location): Route {
  const [, first = "", ...rest] = pathname.slice(BASE.length).split("/");
  const screen = SCREENS.find((each) => each === first) ?? "events";
  const id = rest.join("/");
  return {
    screen,
    id: id === "" ? undefined : decoded(id),
    query: Object.fromEntries(new URLSearchParams(search)),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const route = signal<Route>(routeOf(location));
addEventListener("popstate", () => {
  route.value = routeOf(location);
});

export function addressOf({
  screen,
  id,
  query = {},
}: {
  screen: Screen;
  id?: string | undefined;
  query?: Record<string, string | undefined>;
}): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => Boolean(pair[1]));
  const search = new URLSearchParams(given).toString();
  return `${BASE}/${screen}${id === undefined ? "" : `/${encodeURIComponent(id)}`}${search && `?${search}`}`;
}

export function go(to: Parameters<typeof addressOf>[0], how: "push" | "replace" = "push"): void {
  const address = addressOf(to);
  if (address === location.pathname + location.search) return;
  history[how === "push" ? "pushState" : "replaceState"](null, "", address);
  route.value = routeOf(location);
}

/** The same address with other values in its query. */
export function refine(query: Record<string, string | undefined>, how: "push" | "replace" = "replace"): void {
  const { screen, id, query: now } = route.value;
  go({ screen, id, query: { ...now, ...query } }, how);
}

/** For a link: a click without a modifier key is handled by the page itself. */
export function link(to: Parameters<typeof addressOf>[0]) {
  return {
    href: addressOf(to),
    onClick(event: MouseEvent) {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      go(to);
    },
  };
}
