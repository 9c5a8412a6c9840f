export declare const root: string;
export declare const machine: string;
export declare function importSource(path: string): Promise<unknown>;
export declare function jsonLines(text: string): unknown[];
export declare function stored(project: string, stage: string, output: string): string;
