// What the page asks: the REST API, and the list of models.

export class ServerError extends Error {
  constructor(message, status = 0, retryAfter = 0) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter; // seconds; 0 where asking again is of no use
  }
}

/** Whether a request ended because it was cancelled here. */
export const isCancelled = (error) => error.name === "AbortError";

export const models = async () => (await json("page/models", {})).models;

export const addressOf = (model) =>
  `v1/models/${encodeURIComponent(model.name)}` +
  (model.version ? `/versions/${model.version}` : "");

/** Outputs of a signature. */
export async function predict(model, signature, inputs, signal) {
  const body = JSON.stringify({ signature_name: signature, inputs });
  const found = await json(`${addressOf(model)}:predict`, { method: "POST", body, signal });
  const names = Object.keys(model.signatures[signature].outputs);
  return names.length === 1 ? { [names[0]]: found.outputs } : found.outputs;
}

async function json(url, options) {
  let answer, text;
  try {
    answer = await fetch(url, { cache: "no-cache", ...options });
    text = await answer.text();
  } catch (error) {
    if (isCancelled(error)) throw error;
    throw new ServerError("The server does not answer. Is it running?");
  }
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    throw new ServerError(`The answer is no JSON (HTTP ${answer.status}).`, answer.status);
  }
  if (answer.ok) return body;
  const busy = answer.status === 429 || answer.status === 503;
  const wait = busy ? Math.max(Number(answer.headers.get("retry-after")) || 1, 1) : 0;
  throw new ServerError(`${body.error} (HTTP ${answer.status})`, answer.status, wait);
}
