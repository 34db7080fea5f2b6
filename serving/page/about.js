// What a model is: its card, its figures, its signatures; and the versions of all models.

import { curl, exampleOf, python } from "./calls.js";
import { bdi, copy, h, prose } from "./dom.js";
import { addressOf } from "./server.js";

/** The tab of one model. */
export function about(model) {
  if (!model) return [h("p", { class: "empty" }, "No model is available.")];
  const problems = (model.problems ?? []).map((text) => h("p", { class: "alert" }, text));
  return [
    h("h2", {}, bdi(model.name), ` version ${model.shown}`),
    ...problems,
    ...(model.card ? card(model.card) : [h("p", { class: "note" }, "It has no model card.")]),
    h("h3", {}, "Signatures"),
    ...Object.entries(model.signatures).map(([name, found]) => signature(model, name, found)),
  ];
}

/** The tab of all of them. */
export function versions(models) {
  const rows = models.flatMap(({ name, versions: found }) =>
    found.length
      ? found.map(({ version, state, error }) => [bdi(name), version, dot(state), error])
      : [[bdi(name), "", dot("NONE"), "no version as yet"]],
  );
  return [
    h("h2", {}, "Versions"),
    table("Versions and their states", ["Model", "Version", "State", "What went wrong"], rows),
  ];
}

const dot = (state) => h("span", { class: `dot ${state.toLowerCase()}` }, state);

function card(found) {
  const { data = {}, metrics, limits = [], settings, libraries = {} } = found;
  const facts = [
    ["Kind", found.model],
    ["Trained", found.trained],
    ["Exported", found.exported],
    ["Corpus", data.corpus],
    ["Posts", data.posts],
    ["Users", data.users],
    ["Hashtags", data.hashtags],
    ["Digest of the data", data.sha256],
  ].filter(([, value]) => value !== undefined && value !== null);
  return [
    h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, said(value))))),
    h("h3", {}, "Metrics"),
    ...figures(metrics),
    h("h3", {}, "Limits"),
    h("ul", { class: "limits" }, limits.map((text) => h("li", {}, prose(text)))),
    h("details", {}, h("summary", {}, "Settings"), h("pre", {}, JSON.stringify(settings, null, 2))),
    h(
      "details",
      {},
      h("summary", {}, "Libraries"),
      table("Libraries", ["Library", "Training", "Export"], libraryRows(libraries)),
    ),
  ];
}

function libraryRows({ training = {}, export: exported = {} }) {
  const names = [...new Set([...Object.keys(training), ...Object.keys(exported)])];
  return names.map((name) => [name, training[name] ?? "", exported[name] ?? ""]);
}

function figures(metrics) {
  if (!metrics) {
    return [h("p", { class: "note" }, "None: the run was not evaluated before its export.")];
  }
  const tables = metrics.averages ?? { all: metrics.metrics ?? {} };
  const names = [...new Set(Object.values(tables).flatMap(Object.keys))];
  const rest = Object.entries(metrics).filter(([, value]) => typeof value !== "object");
  return [
    h("p", { class: "note" }, rest.map(([name, value]) => `${name} ${value}`).join(", ")),
    table(
      "Metrics",
      ["Metric", ...Object.keys(tables)],
      names.map((name) => [name, ...Object.values(tables).map((column) => said(column[name] ?? ""))]),
    ),
  ];
}

/** A value for people. */
const said = (value) =>
  typeof value === "number" ? (Number.isInteger(value) ? value.toLocaleString("en") : value.toFixed(4)) : String(value);

function signature(model, name, found) {
  const address = new URL(addressOf(model), document.baseURI).href;
  const inputs = exampleOf(found);
  const tensors = (kind) =>
    Object.entries(found[kind]).map(([key, { dtype, shape, meaning }]) => [
      h("code", {}, key),
      h("code", {}, `${dtype} ${shape ? `[${shape.join(", ")}]` : "any shape"}`),
      prose(meaning),
    ]);
  const head = ["Name", "Type", "Meaning"];
  return h(
    "article",
    { class: "card" },
    h("h4", {}, h("code", {}, name)),
    table(`Inputs of ${name}`, ["Input", ...head.slice(1)], tensors("inputs")),
    table(`Outputs of ${name}`, ["Output", ...head.slice(1)], tensors("outputs")),
    call("curl", name, curl(address, name, inputs)),
    call("Python", name, python(address, name, inputs)),
  );
}

function call(language, name, text) {
  const code = h("pre", {}, text);
  const button = h("button", { type: "button", "aria-label": `Copy ${language} of ${name}` }, "Copy");
  button.addEventListener("click", () => copy(text, button, code));
  return h("details", {}, h("summary", {}, language), h("div", { class: "call" }, code, button));
}

function table(name, head, rows) {
  return h(
    "div",
    { class: "table", tabindex: 0, role: "region", "aria-label": name },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, head.map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell))))),
    ),
  );
}
