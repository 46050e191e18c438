import * as z from "zod/mini";
import en from "zod/v4/locales/en.js";

// The small build has no messages of its own; without a locale every issue reads "Invalid input".
z.config(en());

export { z };
