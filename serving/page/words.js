// Hashtags in texts, by the rule of the models (`tfhashtag.corpus.hashtag`).

const SIGNS = "#\uff03\ufe5f";
const BODY = "\\p{L}\\p{M}\\p{Nd}_\uff3f";
const MEDIAL = "\u200c\u200d\u00ad\u2060\u00b7\u30fb\u30a0\u05f3\u05f4\u0f0b\u0f0c";
const HIDDEN = "\\p{Default_Ignorable_Code_Point}";
const NAME = `[${BODY}]+(?:[${MEDIAL}]+[${BODY}]+)*`;
const TOKEN = new RegExp(`[${SIGNS}]+(?!\\ufe0f?\\u20e3)${HIDDEN}*((?:${NAME})?)`, "gu");
const PLAIN = new RegExp(`^${NAME}$`, "u");
const LETTER = /[[\p{L}\p{M}]--[\ufe00-\ufe0f\u20e3]]/v;
// Scripts that put no space between words: there a hashtag begins behind a letter, too.
const UNSPACED = ["Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan"];
const WORD_BEFORE = new RegExp(
  `^[[\\p{L}\\p{M}\\p{N}_\\&]--[\\ufe00-\\ufe0f\\u20e3\\u30fc${UNSPACED.map((name) => `\\p{Script=${name}}`).join("")}]]`,
  "v",
);
const WORD = "\\p{L}\\p{M}\\p{N}_";
const IN_ADDRESS = "[!$%&'()*+,\\-.\\/0-9:;=?@A-Z\\[\\]_a-z~]";
const ADDRESS = new RegExp(
  `(?:[a-z][a-z0-9+.\\-]*:\\/\\/|www\\.|(?<![${WORD}@.])[${WORD}\\-]+(?:\\.[${WORD}\\-]+)+\\/)` +
    `${IN_ADDRESS}*(?:(?<=[${WORD}\\/=\\-~%+])#${IN_ADDRESS}*)*`,
  "giu",
);
const SPACE = /[^\S\ufeff]|[\x1c-\x1f\x85]/u;
const ENDS = new RegExp(`^(?:[${SIGNS}]|\\s|${HIDDEN})+|(?:\\s|${HIDDEN})+$`, "gu");
const NOTHING_TO_SEE = new RegExp(HIDDEN, "gu");

/** A name without signs before it, in NFKC. */
const nameOf = (text) => text.normalize("NFKC").replace(ENDS, "").normalize("NFKC");

const folding = (text) => text.toUpperCase().toLowerCase(); // `ß` is `ss`; but `ı` is no `i`

/** What makes two names one hashtag: case, width and composition make no difference. */
export function keyOf(name) {
  let key = "";
  let next = nameOf(name);
  while (next !== key) {
    key = next;
    const folded = key.normalize("NFD").replace(/[^ı]+/gu, folding).replaceAll("ς", "σ");
    next = folded.replace(NOTHING_TO_SEE, "").normalize("NFKC");
  }
  return key;
}

export const sameTag = (one, other) => keyOf(one) === keyOf(other);

/** Where hashtags stand: [{start, end, name}]; `odd` are names such as `pale-ale`. */
function spans(text, odd = []) {
  const isPlain = (name) => PLAIN.test(name) && LETTER.test(name);
  const keys = new Set(odd.filter((name) => !isPlain(nameOf(name))).map(keyOf));
  const most = 2 * Math.max(0, ...[...keys].map((key) => key.length)) + 8;
  const found = [];
  let last = -1;
  TOKEN.lastIndex = 0;
  for (let match; (match = TOKEN.exec(text)); ) {
    const start = match.index;
    let [end, name] = [start + match[0].length, match[1]];
    TOKEN.lastIndex = end;
    const begins = start === 0 || start === last || !WORD_BEFORE.test(characterBefore(text, start));
    if (!begins || inAddress(text, start)) continue;
    const from = end - name.length;
    const longer = keys.size ? oddEnd(text, from, most, keys) : 0;
    if (longer) [name, end] = [text.slice(from, longer), longer];
    if (!name) continue;
    found.push({ start, end, name });
    TOKEN.lastIndex = last = end;
  }
  return found.filter(({ name }) => LETTER.test(name) || keys.has(keyOf(name)));
}

function characterBefore(text, place) {
  const low = text.charCodeAt(place - 1);
  return text.slice(place - (low >= 0xdc00 && low <= 0xdfff ? 2 : 1), place);
}

function inAddress(text, place) {
  let first = place;
  while (first && !SPACE.test(text[first - 1])) first -= 1;
  if (first === place) return false;
  ADDRESS.lastIndex = first;
  for (let match; (match = ADDRESS.exec(text)) && match.index <= place; ) {
    if (match.index + match[0].length > place) return true;
  }
  return false;
}

/** Where the longest of the odd names that begin at `start` ends; 0 for none. */
function oddEnd(text, start, most, keys) {
  const run = text.slice(start, start + most).split(SPACE)[0];
  for (let length = run.length; length; length -= 1) {
    const behind = run.slice(length);
    const goesOn = new RegExp(`^${NAME}`, "u").test(behind);
    if (!goesOn && keys.has(keyOf(run.slice(0, length)))) return start + length;
  }
  return 0;
}

export const hashtagsOf = (text, odd) => spans(text, odd).map(({ name }) => name);

/** The text without hashtags, or without those of one name, and the white space before each. */
export function withoutHashtags(text, only = null) {
  const gone = spans(text, only === null ? [] : [only]).filter(
    ({ name }) => only === null || sameTag(name, only),
  );
  if (!gone.length) return text;
  let kept = "";
  let last = 0;
  for (const { start, end } of gone) {
    kept += start > last ? text.slice(last, start).trimEnd() : "";
    // `#topic#`, as Weibo has it
    const lone = SIGNS.includes(text[end] ?? " ") && !new RegExp(`^[${SIGNS}]+${HIDDEN}*[${BODY}]`, "u").test(text.slice(end));
    last = end + (lone ? 1 : 0);
  }
  return (kept + text.slice(last)).trim();
}

/** The text with a hashtag at its end, or without it wherever it stands. */
export function toggled(text, tag) {
  if (hashtagsOf(text, [tag]).some((name) => sameTag(name, tag))) return withoutHashtags(text, tag);
  return text + (text === "" || SPACE.test(text.at(-1)) ? "" : " ") + `#${tag}`;
}

/** A message as a line of a history. */
export const line = (text) => text.split(/\s+/u).filter(Boolean).join(" ");
export const linesOf = (text) => text.split("\n").map(line).filter(Boolean);
