// Who writes: a name and earlier posts, written, pasted, or taken from a file of posts.

import { $, h, plural } from "./dom.js";
import { hashtagsOf, keyOf, line, linesOf } from "./words.js";

const MOST_POSTS = 50; // of a person; what models read at most

export class People {
  /** @param changed is called when the person is another. */
  constructor(changed) {
    this.changed = changed;
    this.posts = new Map();
    $("open-people").addEventListener("click", () => $("people-file").click());
    $("people-file").addEventListener("change", (event) => {
      this.#open(event.target.files[0]);
      event.target.value = "";
    });
    $("user").addEventListener("input", () => {
      if (this.posts.has(this.name)) this.#fill(this.posts.get(this.name));
      this.show();
      this.changed();
    });
    $("history").addEventListener("input", () => {
      this.show();
      this.changed();
    });
    $("forget").addEventListener("click", () => this.set("", ""));
  }

  get name() {
    return $("user").value.trim();
  }

  get history() {
    return linesOf($("history").value);
  }

  /** Keys of the hashtags of the history; null where there is no history to tell by. */
  get seen() {
    const { history } = this;
    if (!history.length) return null;
    return new Set(history.flatMap((text) => hashtagsOf(text)).map(keyOf));
  }

  set(name, history) {
    $("user").value = name;
    $("history").value = history;
    this.show();
    this.changed();
  }

  /** What the model reads of a person. */
  use(inputs) {
    this.byName = "user" in inputs;
    this.byHistory = "history" in inputs;
    this.show();
  }

  show() {
    const count = this.history.length;
    let name = "Not sent: this model knows people by their posts.";
    if (this.byName) name = this.name ? "" : "Empty: somebody new.";
    $("user-note").textContent = name;
    $("name").hidden = !this.byName && !this.posts.size;
    const marks = "Their hashtags are marked as seen.";
    let history = "Empty: somebody new.";
    if (!this.byHistory) history = `Not sent: this model knows people by name. ${marks}`;
    else if (count) history = `${plural(count, "post")}. ${marks}`;
    $("history-note").textContent = history;
  }

  #fill(posts) {
    $("history").value = posts.slice(-MOST_POSTS).join("\n");
  }

  async #open(file) {
    const posts = new Map();
    let number = 0;
    try {
      for (const text of (await file.text()).split("\n")) {
        number += 1;
        if (text.trim()) {
          const post = JSON.parse(text);
          if (typeof post.user !== "string" || typeof post.text !== "string") {
            throw new TypeError("expected `user` and `text`");
          }
          if (!posts.has(post.user)) posts.set(post.user, []);
          const tags = (post.hashtags ?? []).map((tag) => `#${tag}`);
          posts.get(post.user).push(line([post.text, ...tags].join(" ")));
        }
      }
    } catch (error) {
      $("people-note").textContent = `${file.name}, line ${number}: ${error.message}`;
      return;
    }
    this.posts = posts;
    $("people").replaceChildren(...[...posts.keys()].map((name) => h("option", { value: name })));
    $("people-note").textContent =
      `${file.name}: ${plural(posts.size, "person").replace("persons", "people")}. Choose one by name.`;
    this.show();
    $("user").focus();
  }
}
