export declare const root: string;
export declare const machine: string;
export declare function importSource(path: string): Promise<unknown>;
export declare function jsonLines(text: string): unknown[];
export declare function stored(project: string, stage: string, output: string): string;
export declare function developmentToolsets(from: string | undefined, keep: string): { readonly folder: string; readonly names: readonly string[] };
export declare function requestsOf(folder: string, name: string): string;
export declare const FIGURES: Readonly<Record<string, string>>;
