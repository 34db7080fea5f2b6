// Hashtags in texts, by the rule of the models: words that begin with `#`.

const split = (text) => text.split(/\s+/u).filter(Boolean);
const isTag = (word) => word.length > 1 && word.startsWith("#");

export const hashtagsOf = (text) => split(text).filter(isTag).map((word) => word.slice(1));

export const withoutHashtags = (text) => split(text).filter((word) => !isTag(word)).join(" ");

export const sameTag = (one, other) => one.toLowerCase() === other.toLowerCase();

/** The text with a hashtag at its end, or without it wherever it stands. */
export function toggled(text, tag) {
  if (!hashtagsOf(text).some((word) => sameTag(word, tag))) {
    return text + (text === "" || /\s$/u.test(text) ? "" : " ") + `#${tag}`;
  }
  return text
    .split(/(\s+)/u)
    .reduce((kept, part) => {
      if (isTag(part) && sameTag(part.slice(1), tag)) kept.pop(); // the space before it
      else kept.push(part);
      return kept;
    }, [])
    .join("");
}

/** A message as a line of a history. */
export const line = (text) => split(text).join(" ");
export const linesOf = (text) => text.split("\n").map(line).filter(Boolean);
