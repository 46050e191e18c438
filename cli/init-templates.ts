import { fileURLToPath } from "node:url";

/** The templates of `gatehook init`: one folder up from here, and from the bundle of an installed package. */
export const TEMPLATES = fileURLToPath(new URL("../init", import.meta.url));
