// Why a hashtag: its signals and the posts behind them, where a model explains; and what its score
// would be without each part of the post and its writer.

import { $, bdi, h, short } from "./dom.js";
import { ServerError, isCancelled, predict } from "./server.js";

const MOST_PARTS = 50; // the newest messages
const MOST_HASHTAGS = 200; // among which a hashtag is looked for, where a model scores none by name
const MOST_BYTES = 8 * 2 ** 20; // of pictures in a request; a server takes 64 MiB in all
const SHOWN = { signals: 6, similar: 4, parts: 5 };

const canLeaveOut = (model) => "score" in model.signatures || "top_k" in model.signatures;

/** Whether a model can be asked. */
export const canTell = (model) => "explain" in model.signatures || canLeaveOut(model);

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

/** Parts of a few rows each, so that no request carries much more than MOST_BYTES of pictures. */
function* batches(all) {
  let some = [];
  let size = 0;
  for (const part of all) {
    const more = (part.inputs.images?.[0] ?? part.inputs.image ?? []).reduce(
      (sum, picture) => sum + (picture.b64 ?? picture).length,
      0,
    );
    if (some.length && size + more > MOST_BYTES) {
      yield some;
      [some, size] = [[], 0];
    }
    some.push(part);
    size += more;
  }
  if (some.length) yield some;
}

/** What is told of the hashtags of one answer. */
export class Why {
  constructor(model, inputs, best) {
    [this.model, this.inputs, this.best] = [model, inputs, best];
    this.request = new AbortController();
    this.explained = new Map();
    this.without = parts(inputs);
  }

  close() {
    this.request.abort();
  }

  /** Shows the reasons of a hashtag. */
  async show(tag) {
    $("why-title").replaceChildren("Why ", bdi(`#${tag}`));
    this.shown = tag;
    if (!this.explained.has(tag)) {
      $("why-text").replaceChildren(h("p", { class: "note" }, "Asking …"));
    }
    try {
      // One may be refused and the other answered.
      const [told, left] = await Promise.allSettled([this.#explanation(tag), this.#leftOut()]);
      if (this.shown !== tag || this.request.signal.aborted) return;
      const failed = [told, left].filter(({ status }) => status === "rejected");
      const other = failed.find(({ reason }) => !(reason instanceof ServerError));
      if (other) throw other.reason;
      $("why-text").replaceChildren(
        ...(told.value ? explained(told.value) : []),
        ...this.#withoutEach(tag, left.value),
        ...failed.map(({ reason }) => h("p", { class: "bad" }, reason.message)),
      );
    } catch (error) {
      if (isCancelled(error)) return;
      if (!(error instanceof ServerError)) throw error;
      $("why-text").replaceChildren(h("p", { class: "bad" }, error.message));
    }
  }

  async #explanation(tag) {
    if (!("explain" in this.model.signatures)) return null;
    if (!this.explained.has(tag)) {
      const names = Object.keys(this.model.signatures.explain.inputs);
      const inputs = Object.fromEntries(
        names.map((name) => [name, name === "hashtag" ? [tag] : this.inputs[name]]),
      );
      this.explained.set(tag, await predict(this.model, "explain", inputs, this.request.signal));
    }
    return this.explained.get(tag);
  }

  /** Per hashtag the score without each part; null where it is not among the best any more. */
  async #leftOut() {
    if (this.left || !canLeaveOut(this.model) || !this.without.length) return this.left;
    const tags = this.best.map(({ tag }) => tag);
    const signature = "score" in this.model.signatures ? "score" : "top_k";
    const outputs = { hashtags: [], scores: [] };
    for (const some of batches(this.without)) {
      const inputs = {};
      for (const key of Object.keys(this.model.signatures[signature].inputs)) {
        if (key === "hashtags") inputs[key] = some.map(() => tags);
        else if (key === "k") inputs[key] = MOST_HASHTAGS;
        else inputs[key] = some.map((part) => part.inputs[key][0]);
      }
      const found = await predict(this.model, signature, inputs, this.request.signal);
      outputs.scores.push(...found.scores);
      outputs.hashtags.push(...(found.hashtags ?? []));
    }
    const score = (tag, place) => (part, row) => {
      if (!outputs.hashtags.length) return outputs.scores[row][place];
      const found = outputs.hashtags[row].indexOf(tag);
      return found < 0 ? null : outputs.scores[row][found];
    };
    this.left = new Map(tags.map((tag, place) => [tag, this.without.map(score(tag, place))]));
    return this.left;
  }

  #withoutEach(tag, scores) {
    if (!scores) return [];
    const { score } = this.best.find((found) => found.tag === tag);
    const rows = this.without
      .map((part, place) => ({ part, left: scores.get(tag)[place] }))
      .map(({ part, left }) => ({ part, left, drop: score - (left ?? 0) }))
      .sort((one, other) => other.drop - one.drop)
      .slice(0, SHOWN.parts)
      .map(({ part, left, drop }) => [
        part.name || bdi(`“${part.text}”`),
        left === null ? "it is not among the best" : `it would be ${short(left)}`,
        drop,
      ]);
    return [
      h("h4", {}, "What carries it"),
      h("p", { class: "note" }, `Its score is ${short(score)}. Without …`),
      reasons("without", rows),
    ];
  }
}

/** What the signature `explain` says of one hashtag. */
function explained(told) {
  if (!told.known[0]) return [h("p", { class: "note" }, "No signal of the model names it.")];
  const rows = told.words[0]
    .map((words, place) => [words, signed(told.parts[0][place]), told.parts[0][place]])
    .slice(0, SHOWN.signals);
  const posts = (told.similar?.[0] ?? [])
    .map((tags, at) => ({ tags, by: told.similar_by[0][at], place: told.place[0][at], cosine: told.similarity[0][at] }))
    .filter(({ place }) => place)
    .sort((one, other) => one.place - other.place)
    .slice(0, SHOWN.similar);
  return [
    h("h4", {}, "Signals"),
    h(
      "p",
      { class: "note" },
      `Where every signal is as usual its logit is ${fixed(told.baseline[0])}; all of them make it ${fixed(told.logit[0])}. The largest parts:`,
    ),
    reasons("signals", rows),
    ...(posts.length
      ? [
          h("h4", {}, "Posts of others like this one that have it"),
          h("ul", { class: "similar" }, posts.map(({ tags, by, place, cosine }) =>
            h("li", {}, bdi(tags), " ", h("span", { class: "note" }, `${ordinal(place)} closest by ${by}, cosine ${cosine.toFixed(2)}`)),
          )),
        ]
      : []),
  ];
}

const fixed = (number) => number.toFixed(2).replace(/^-0\.00$/, "0.00").replace("-", "−");

const signed = (number) => `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(2)}`;

const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };
const RULES = new Intl.PluralRules("en", { type: "ordinal" });
const ordinal = (number) => `${number}${ENDINGS[RULES.select(number)]}`;

/** Rows of [what, number in words, number], with a bar each. */
function reasons(kind, rows) {
  const widest = Math.max(...rows.map(([, , size]) => Math.abs(size)), Number.MIN_VALUE);
  return h(
    "ul",
    { class: `reasons ${kind}` },
    rows.map(([what, said, size]) => {
      const bar = h("span", { class: size < 0 ? "drop against" : "drop", "aria-hidden": "true" });
      bar.style.setProperty("--share", Math.abs(size) / widest);
      const head = h("span", { class: "part" }, what);
      return h("li", {}, head, " ", h("span", { class: "left" }, said), bar);
    }),
  );
}
