// Why a hashtag: what its score would be without each part of the post and its writer.

const MOST_PARTS = 50; // the newest messages
const MOST_HASHTAGS = 200; // among which a hashtag is looked for, where a model scores none by name

/** Whether a model can be asked. */
export const canTell = (model) => "score" in model.signatures || "top_k" in model.signatures;

/**
 * The requests without one part each.
 *
 * @param inputs what was asked, one row.
 * @returns [{name, text, inputs}], the inputs of each without that part.
 */
export function parts(inputs) {
  const found = [];
  if (inputs.history) {
    const [messages] = inputs.history;
    messages.forEach((text, place) => {
      const left = messages.with(place, "");
      if (text) found.push({ name: "", text, inputs: { ...inputs, history: [left] } });
    });
  }
  for (const [key, name] of [["text", "the text"], ["image", "the picture"], ["user", "the writer"]]) {
    if (inputs[key] && inputs[key][0] !== "") {
      found.push({ name, text: "", inputs: { ...inputs, [key]: [""] } });
    }
  }
  const pictures = inputs.images?.[0].filter(Boolean) ?? [];
  pictures.forEach((_, place) => {
    const name = pictures.length > 1 ? `picture ${place + 1}` : "the picture";
    found.push({ name, text: "", inputs: { ...inputs, images: [pictures.with(place, "")] } });
  });
  return found.slice(-MOST_PARTS);
}

/** The request for all of them at once: [signature, inputs]. */
export function question(model, without, hashtags) {
  const rows = (key) => without.map((part) => part.inputs[key][0]);
  const byName = "score" in model.signatures;
  const signature = byName ? "score" : "top_k";
  const inputs = {};
  for (const key of Object.keys(model.signatures[signature].inputs)) {
    if (key === "hashtags") inputs[key] = without.map(() => hashtags);
    else if (key === "k") inputs[key] = MOST_HASHTAGS;
    else inputs[key] = rows(key);
  }
  return [signature, inputs];
}

/** Per hashtag the score without each part; null where it is not among the best any more. */
export function read(outputs, without, hashtags) {
  return new Map(
    hashtags.map((tag, place) => [
      tag,
      without.map((part, row) => {
        if (!outputs.hashtags) return outputs.scores[row][place];
        const found = outputs.hashtags[row].indexOf(tag);
        return found < 0 ? null : outputs.scores[row][found];
      }),
    ]),
  );
}
