import type { BuildOptions } from "esbuild";

type Options = BuildOptions & Required<Pick<BuildOptions, "plugins">>;
export declare const root: string;
export declare const commandOptions: () => Options;
export declare const workerOptions: () => Options;
