/**
 * Credentials in what somebody wrote, by what stands around them: a password behind its name, in an address, a token behind its scheme. Narrow, unlike `redact`: it is
 * about people's own data, where "my password is expired", `<password>` and "P@ssw0rd!" are no secrets. Every pattern is bounded: time is linear in the text.
 */

/** In every text that has a credential; quicker to look for. */
const NEAR = /pass|pwd|secret|key|token|:\/\/|bearer|authorization/i;

/** A name, what makes it a value's name, the value. `passwd` and `pwd` are the field's own short forms. */
const PASSWORD =
  /(?:pass(?:word|wd|phrase|wort|code)|passwort|kennwort|mot de passe|contrase\u00f1a|\bpwd|_pwd)["'\]*`]{0,3}\s{0,3}(?:[:=]|=>|:=|\bis\b|\bist\b)\s{0,3}["'`]{0,2}([^\s"'`<>,;]{8,128})/gi;
const KEY =
  /(?:api[_ -]?key|access[_ -]?key|account[_ -]?key|secret[_ -]?key|private[_ -]?key|client[_ -]?secret|app[_ -]?secret|(?:access|auth|refresh|bearer|bot|secret|api)[_ -]?token)(?:[_ -]?id)?["'\]*`]{0,3}\s{0,3}(?:[:=]|=>|:=|\bis\b)\s{0,3}["'`]{0,2}([A-Za-z0-9+/_.-]{16,256}={0,2})(?![^\s"'`<>,;)}.])/gi;
const ADDRESS = /:\/\/[^\s/:@"'<>]{0,64}:([^\s/@"'<>]{6,128})@[\w[]/g;
const TOKEN = /\bbearer\s{1,3}([A-Za-z0-9._~+/-]{20,4096}={0,2})/gi;
const BASIC = /\bauthorization["']{0,2}\s{0,3}[:=]\s{0,3}["']{0,2}basic\s{1,3}([A-Za-z0-9+/]{12,1024}={0,2})/gi;

/** Whether a text holds a credential that stands where credentials stand. */
export function holdsCredential(text: string): boolean {
  if (!NEAR.test(text)) return false;
  const any = (form: RegExp, is: (value: string) => boolean): boolean => {
    for (const [, value = ""] of text.matchAll(form)) if (!isMadeUp(value) && is(value)) return true;
    return false;
  };
  return any(PASSWORD, isStrong) || any(KEY, isRandom) || any(ADDRESS, isMixed) || any(TOKEN, isRandom) || any(BASIC, isRandom);
}

/** What people write in place of a secret, and passwords that are invented for show: of a word that says so, of one sign, of a template. */
const MADE_UP =
  /example|your|my[_-]|placeholder|redacted|dummy|sample|change|pass|secret|test|demo|fake|insert|here|letmein|welcome|qwerty|abcd|1234|x{4}|\*{3}|\.{3}|\u2026|[<>{}()[\]]|^\$|process\.env|environ/i;
/** Letters that signs stand for in "P@ssw0rd". */
const LETTERS: Readonly<Record<string, string>> = { "@": "a", "0": "o", $: "s", "5": "s", "3": "e", "1": "i", "!": "i" };

const isMadeUp = (value: string): boolean =>
  MADE_UP.test(value) || MADE_UP.test(value.replace(/[@0$531!]/g, (sign) => LETTERS[sign] as string)) || /^(.)\1*$/.test(value);

const kinds = (value: string): number => [/[a-z]/, /[A-Z]/, /[0-9]/, /[!@#$%^&*+=?~]/].filter((kind) => kind.test(value)).length;
/** Eight of three kinds of letters, digits and signs, what ends a sentence aside: no word, date, number or path. */
const isStrong = (value: string): boolean => {
  const said = value.replace(/[.,:;!?]{1,8}$/, "");
  return said.length >= 8 && kinds(said) >= 3;
};
/** Letters and digits. */
const isMixed = (value: string): boolean => /[A-Za-z]/.test(value) && /[0-9]/.test(value);
/** Mixed, and no words with a number behind them: three changes between letters and digits, or letters of both cases among digits. */
const isRandom = (value: string): boolean =>
  isMixed(value) && ((value.match(/[a-z][0-9]|[0-9][a-z]/gi) ?? []).length >= 3 || (/[a-z]/.test(value) && /[A-Z]/.test(value)));
