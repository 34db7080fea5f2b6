// The page: which model, which tab.

import { about, versions } from "./about.js";
import { Composer, signatureFor } from "./composer.js";
import { $, h } from "./dom.js";
import { models } from "./server.js";

const EVERY = 10000; // ms between two looks at the versions

const composer = new Composer();
const shown = {}; // what stands where, so that nothing is drawn twice
let found = [];
let used = "";

const available = ({ versions: all }) => all.filter(({ state }) => state === "AVAILABLE");

/** The chosen model: name, version ("" for the newest), signatures, card. */
function chosen() {
  const model = found.find(({ name }) => name === $("model").value);
  const loaded = model ? available(model) : [];
  if (!loaded.length) return null;
  const version = loaded.find(({ version }) => version === $("version").value);
  const own = version ?? loaded[0];
  return { ...own, name: model.name, version: version ? version.version : "", shown: own.version };
}

function options(select, values) {
  const before = select.value;
  select.replaceChildren(...values.map(([value, text]) => h("option", { value }, text)));
  if (values.some(([value]) => value === before)) select.value = before;
}

/** Draws a part if it is another than before: what is open there stays open. */
function draw(part, content, of) {
  const state = JSON.stringify(of);
  if (shown[part] === state) return;
  shown[part] = state;
  content();
}

function show() {
  draw("model", () => options($("model"), found.map(({ name }) => [name, name])), found.map(({ name }) => name));
  const model = found.find(({ name }) => name === $("model").value);
  const loaded = model ? available(model).map(({ version }) => version) : [];
  draw(
    "version",
    () => options($("version"), [["", `newest (${loaded[0] ?? "none"})`], ...loaded.map((version) => [version, version])]),
    [model?.name, loaded],
  );
  const now = chosen();
  draw("about", () => $("about").replaceChildren(...about(now)), now);
  draw("versions", () => $("versions").replaceChildren(...versions(found)), found.map(({ name, versions: all }) => [name, all.map(({ version, state, error }) => [version, state, error])]));
  const key = JSON.stringify(now);
  if (key !== used) {
    used = key;
    composer.use(now);
  }
}

async function look() {
  try {
    found = await models();
    $("unreachable").hidden = true;
    show();
  } catch (error) {
    $("unreachable").textContent = error.message;
    $("unreachable").hidden = false;
  }
}

function select(tab, focus = false) {
  for (const other of $("tabs").children) {
    const is = other === tab;
    other.setAttribute("aria-selected", String(is));
    other.tabIndex = is ? 0 : -1;
    $(other.getAttribute("aria-controls")).hidden = !is;
  }
  if (focus) tab.focus();
}

const tabs = [...$("tabs").children];
const STEPS = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
$("tabs").addEventListener("click", (event) => event.target.role === "tab" && select(event.target));
$("tabs").addEventListener("keydown", (event) => {
  const step = STEPS[event.key];
  if (!step) return;
  event.preventDefault();
  const place = tabs.indexOf(document.activeElement) + step;
  const last = tabs.length - 1;
  const next = Number.isFinite(step) ? (place + tabs.length) % tabs.length : Math.min(Math.max(place, 0), last);
  select(tabs[next], true);
});
$("model").addEventListener("change", show);
$("version").addEventListener("change", show);

/** `#model=..&user=..&history=..&post=..` in the address begins with these; nothing is written there. */
function begin() {
  const given = new URLSearchParams(location.hash.slice(1));
  const composing = found.find((model) => available(model).some(signatureFor));
  const name = given.get("model") ?? composing?.name;
  if (found.some((model) => model.name === name)) $("model").value = name;
  $("post").value = given.get("post") ?? "";
  show();
  composer.people.set(given.get("user") ?? "", given.get("history") ?? "");
}

await look();
begin();
$("post").focus();
setInterval(() => document.hidden || look(), EVERY);
