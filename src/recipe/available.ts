/** Families whose data file this version ships (src/models/families; a test compares). Others are a project's own, in files. */
export const FAMILIES: readonly string[] = ["smollm2", "nano"];
