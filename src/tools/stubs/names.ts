/** The stubs there are, by name. Apart from the stubs themselves, so that naming one loads nothing. */
export const STUB_NAMES = ["weather", "filesystem"] as const;
export type StubName = (typeof STUB_NAMES)[number];

export const isStubName = (name: string): name is StubName => (STUB_NAMES as readonly string[]).includes(name);
