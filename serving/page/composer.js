// The post, what is asked about it while it is written, and the hashtags that come back.

import { $, bdi, copy, h, plural, short } from "./dom.js";
import { People } from "./people.js";
import { Pictures } from "./pictures.js";
import { ServerError, isCancelled, predict } from "./server.js";
import { Rising } from "./rising.js";
import { Why, canTell, parts } from "./why.js";
import { hashtagsOf, keyOf, toggled, withoutHashtags } from "./words.js";

const PAUSE = 250; // ms without a key before the server is asked
const SLOW = 400; // ms before it is said that it takes its time

const READ = new Set(["text", "image", "images", "user", "history", "k"]);

/** The signature that the composer can ask; undefined where a model has none. */
export function signatureFor(model) {
  return ["top_k", "serving_default"].find((name) => {
    const found = model.signatures?.[name];
    return (
      found &&
      Object.keys(found.inputs).every((input) => READ.has(input)) &&
      "hashtags" in found.outputs &&
      "scores" in found.outputs
    );
  });
}

/** How many pictures of a post the model reads; its card says so. */
function picturesOf(model, inputs) {
  const settings = model?.card?.settings;
  if (settings?.image_encoder === "none") return 0;
  return "images" in inputs ? (settings?.network?.pictures ?? Infinity) : Number("image" in inputs);
}

export class Composer {
  constructor() {
    this.model = null;
    this.best = []; // [{tag, score}]
    this.asked = ""; // what they answer
    this.why = null; // of this answer
    this.open = ""; // the hashtag whose reasons are shown
    this.people = new People(() => this.changed());
    this.pictures = new Pictures(() => this.changed());
    this.rising = new Rising(() => this.#show());
    $("post").addEventListener("input", () => this.changed());
    $("k").addEventListener("change", () => this.changed());
    $("copy").addEventListener("click", () => copy($("post").value, $("copy"), $("post")));
  }

  use(model) {
    this.request?.abort();
    this.model = model;
    this.#answer([], model ? "" : "No version of this model is available.");
    this.signature = model && signatureFor(model);
    const inputs = this.signature ? model.signatures[this.signature].inputs : {};
    $("wanted").hidden = !("k" in inputs);
    this.people.use(inputs);
    this.rising.use(model);
    this.pictures.most = picturesOf(model, inputs);
    this.pictures.frames = model?.card?.data?.frames ?? this.pictures.frames;
    this.pictures.show();
  }

  /** Asks, once there was a pause, if it is another question than the last. */
  changed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#ask(), PAUSE);
    this.#show();
  }

  get #inputs() {
    const post = $("post").value;
    const history = [...this.people.history, post.trim() ? post.replace(/\s+/gu, " ").trim() : ""];
    const all = {
      text: [withoutHashtags(post)],
      image: [this.pictures.sent[0] ?? ""],
      images: [this.pictures.sent.length ? this.pictures.sent : [""]],
      user: [this.people.name],
      history: [history.filter(Boolean)],
      k: Number($("k").value),
    };
    const names = Object.keys(this.model.signatures[this.signature].inputs);
    return Object.fromEntries(names.map((name) => [name, all[name]]));
  }

  async #ask(again = false) {
    if (!this.model) return;
    if (!this.signature) {
      this.#answer([], `Model ${this.model.name} has no signature from a post to hashtags.`);
      return;
    }
    const inputs = this.#inputs;
    const asked = JSON.stringify([this.model.name, this.model.version, inputs]);
    if (asked === this.asked && !again) return;
    this.request?.abort();
    this.asked = asked;
    this.#fail(null);
    if (!parts(inputs).length) {
      this.#answer([], "");
      return;
    }
    const request = (this.request = new AbortController());
    const slow = setTimeout(() => this.#wait(true), SLOW);
    try {
      const outputs = await predict(this.model, this.signature, inputs, request.signal);
      const [tags, scores] = [outputs.hashtags[0], outputs.scores[0]];
      this.inputs = inputs;
      this.#answer(tags.map((tag, place) => ({ tag, score: scores[place] })));
    } catch (error) {
      if (isCancelled(error)) return;
      if (!(error instanceof ServerError)) throw error;
      this.#fail(error);
    } finally {
      clearTimeout(slow);
      if (this.request === request) this.#wait(false);
    }
  }

  #wait(slow) {
    $("suggestions").setAttribute("aria-busy", String(slow));
    if (slow) $("state").textContent = "Asking …";
    else if ($("state").textContent === "Asking …") $("state").textContent = "";
  }

  #answer(best, said = `${plural(best.length, "hashtag")}`) {
    this.best = best;
    this.why?.close();
    this.why = null;
    if (!best.some(({ tag }) => tag === this.open)) this.open = "";
    $("state").textContent = said;
    this.#show();
    if (this.open) this.#tell();
  }

  /** Shows a failure, and asks again by itself where the server said when. */
  #fail(error) {
    clearTimeout(this.later);
    $("error").hidden = !error;
    if (!error) {
      $("error").replaceChildren();
      return;
    }
    this.asked = "";
    $("state").textContent = "";
    const again = h("button", { type: "button", onclick: () => this.#ask(true) }, "Try again");
    const wait = error.retryAfter ? ` It is asked again in ${error.retryAfter} s.` : "";
    $("error").replaceChildren(h("p", {}, error.message, wait), again);
    if (error.retryAfter) this.later = setTimeout(() => this.#ask(true), error.retryAfter * 1000);
  }

  #show() {
    const held = document.activeElement?.closest?.(".chips li");
    const [list, tag] = [held?.parentNode.id, held?.dataset.tag];
    const onWhy = document.activeElement?.classList.contains("ask-why");
    $("empty").hidden = this.best.length > 0 || !$("error").hidden || $("state").textContent !== "";
    const highest = Math.max(...this.best.map(({ score }) => score), 0);
    const { seen } = this.people;
    const names = [...this.best, ...this.rising.found].map((found) => found.tag);
    const added = new Set(hashtagsOf($("post").value, names).map(keyOf));
    const chips = this.best.map(({ tag, score }) => {
      const said = [h("span", { class: "unseen" }, "score "), short(score)];
      const chip = this.#chip(tag, said, seen, added, this.model && canTell(this.model));
      chip.style.setProperty("--share", highest > 0 ? score / highest : 0);
      return chip;
    });
    $("chips").replaceChildren(...chips);
    const rising = this.rising.found.map(({ tag, said }) => this.#chip(tag, said, seen, added, false));
    $("rising").replaceChildren(...rising);
    $("why").hidden = !this.open;
    if (!held) return;
    const all = list === "chips" ? chips : rising;
    const chip = all.find((node) => node.dataset.tag === tag) ?? all[0];
    (chip?.querySelector(onWhy ? ".ask-why" : ".tag") ?? $("post")).focus();
  }

  #chip(tag, said, seen, added, asks) {
    const key = keyOf(tag);
    const pressed = added.has(key);
    const add = h(
      "button",
      { type: "button", class: "tag", "aria-pressed": String(pressed), onclick: () => this.#toggle(tag) },
      bdi(`#${tag}`),
      " ",
      h("span", { class: "score" }, said),
      seen && " ",
      seen && (seen.has(key)
        ? h("span", { class: "mark seen" }, "seen")
        : h("span", { class: "mark new" }, "new")),
    );
    const ask = asks && h(
      "button",
      {
        type: "button",
        class: "ask-why",
        "aria-label": `Why #${tag}?`,
        "aria-expanded": String(this.open === tag),
        "aria-controls": "why",
        onclick: () => this.#toggleWhy(tag),
      },
      "why",
    );
    return h("li", { "data-tag": tag, class: pressed ? "added" : undefined }, add, ask || null);
  }

  #toggle(tag) {
    $("post").value = toggled($("post").value, tag);
    this.changed();
  }

  #toggleWhy(tag) {
    this.open = this.open === tag ? "" : tag;
    this.#show();
    if (this.open) this.#tell();
  }

  #tell() {
    this.why ??= new Why(this.model, this.inputs, this.best);
    return this.why.show(this.open);
  }
}
