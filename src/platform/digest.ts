/**
 * What a content digest is (SHA-256), for text and JSON values. Files and folders: hash.ts.
 * Guarantees: the same value gives the same digest on every machine, whatever the order of its keys.
 */
import { hash } from "node:crypto";
import { canonicalJson } from "./json.ts";

declare const brand: unique symbol;
/** `sha256:` and 64 hexadecimal digits. Branded, so that it cannot be passed where a path or a name belongs. */
export type Digest = string & { readonly [brand]: "Digest" };

const PATTERN = /^sha256:[0-9a-f]{64}$/;

/** Whether text from outside is a digest. */
export const isDigest = (text: unknown): text is Digest => typeof text === "string" && PATTERN.test(text);

/** Digest of a text's UTF-8 bytes, or of bytes. */
export const digestText = (text: string | Uint8Array): Digest => `sha256:${hash("sha256", text, "hex")}` as Digest;

/** Digest of a JSON value, independent of the order of its keys. */
export const digestJson = (value: unknown): Digest => digestText(canonicalJson(value));

/** The 64 hexadecimal digits, for file names. */
export const hexOf = (digest: Digest): string => digest.slice("sha256:".length);
