/**
 * The environment that child processes get: an allow-list.
 * Guarantees: no variable reaches a child unless it is named here, by the recipe or by the caller; of the families
 * with a wildcard, whatever looks like a credential (by name, or a password inside a URL) is left out.
 */

const NAMES = new Set(
  `PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR TMP TEMP TERM COLORTERM NO_COLOR FORCE_COLOR CI
  XDG_CACHE_HOME XDG_DATA_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR
  HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
  SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
  CUDA_VISIBLE_DEVICES CUDA_HOME LD_LIBRARY_PATH HF_HOME HF_HUB_OFFLINE
  SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT APPDATA LOCALAPPDATA USERPROFILE PROGRAMFILES`.split(/\s+/),
);
const FAMILIES = /^(?:LC_|PIP_|npm_config_|NPM_CONFIG_|MCP_FORGE_)/;
const LOOKS_SECRET = /TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|_AUTH|_KEY$/i;
const PASSWORD_IN_URL = /:\/\/[^\s/@]*:[^\s/@]+@/;

/**
 * @param extra variables set on top, as they are (a recipe's `env`, a secret that this child needs).
 * @param passNames further variables of this process to hand on, also when they look like a credential
 *   (`PIP_INDEX_URL` of a private index, say).
 */
export function childEnv(extra: Readonly<Record<string, string>> = {}, passNames: readonly string[] = []): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined) continue;
    const listed = NAMES.has(process.platform === "win32" ? name.toUpperCase() : name) || FAMILIES.test(name);
    if (passNames.includes(name) || (listed && !LOOKS_SECRET.test(name) && !PASSWORD_IN_URL.test(value))) out[name] = value;
  }
  return { ...out, ...extra };
}
