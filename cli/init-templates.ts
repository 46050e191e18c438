import { fileURLToPath } from "node:url";

/** The folder of what `gatehook init` writes: one up from here, and from the bundle of an installed package. */
export const TEMPLATES = fileURLToPath(new URL("../init", import.meta.url));
