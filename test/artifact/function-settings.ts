import {
  FUNCTION_SETTINGS,
  type FunctionName,
  type FunctionSetting,
} from "../../lib/settings/function-settings.ts";
import { defaultText } from "../../lib/settings/setting.ts";

/** A setting of a function. */
export interface SettingOf {
  name: string;
  /** Undefined where it has to be set, with an ingest that asks for a token, and beside a gateway. */
  fallback: string | undefined;
}

export const settingsOf = (functionName: string): SettingOf[] =>
  Object.entries<FunctionSetting>(FUNCTION_SETTINGS).flatMap(([name, setting]) => {
    const own = functionName as FunctionName;
    if (!setting.functions.includes(own)) return [];
    const isRequired = setting.resource || setting.requiredWith || setting.requiredBy?.includes(own);
    return [{ name, fallback: isRequired ? undefined : defaultText(setting) }];
  });
