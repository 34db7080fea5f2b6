// What rises, where a model tells it.

import { $, h, plural } from "./dom.js";
import { ServerError, isCancelled, predict } from "./server.js";

const SHOWN = 10;

export class Rising {
  /** @param changed is called when there is something else to show. */
  constructor(changed) {
    this.changed = changed;
    this.found = []; // [{tag, said}]
  }

  /** Asks a model, once. */
  async use(model) {
    this.request?.abort();
    const request = (this.request = new AbortController());
    this.#show([], "");
    if (!model || !("trending" in model.signatures)) return;
    try {
      const told = await predict(model, "trending", { k: SHOWN }, request.signal);
      const found = told.hashtags.map((tag, at) => ({ tag, said: evidence(told, at) }));
      this.#show(found, "As of the export of the model: against the time before, with the people who use it now.");
    } catch (error) {
      if (isCancelled(error)) return;
      if (!(error instanceof ServerError)) throw error;
      this.#show([], error.message, true);
    }
  }

  #show(found, note, failed = false) {
    this.found = found;
    $("trending").hidden = !found.length && !failed;
    $("rising-note").textContent = note;
    this.changed();
  }
}

const evidence = (told, at) => [
  `×${told.ratio[at].toFixed(1)}, `,
  plural(told.users[at], "person").replace("persons", "people"),
];
