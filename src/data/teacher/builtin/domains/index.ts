/** Every domain the builtin teacher knows; adding one is adding a file and a row here. */
import type { Domain } from "./domain.ts";
import { FILE_DOMAINS } from "./files.ts";
import { LIFE_DOMAINS } from "./life.ts";
import { alerts, forecast, weatherNow } from "./weather.ts";
import { WORK_DOMAINS } from "./work.ts";

export type { Domain } from "./domain.ts";
export const DOMAINS: readonly Domain[] = [weatherNow, forecast, alerts, ...FILE_DOMAINS, ...LIFE_DOMAINS, ...WORK_DOMAINS];
