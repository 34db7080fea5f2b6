// Elements are made of text alone: what users wrote is never read as HTML.

export const $ = (id) => document.getElementById(id);

/** An element; properties that begin with `on` are listeners, `true` and `false` switch. */
export function h(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** Text of unknown direction. */
export const bdi = (text) => h("bdi", {}, text);

/** Text with what stands between backticks as code. */
export const prose = (text) =>
  String(text).split("`").map((part, place) => (place % 2 ? h("code", {}, part) : part));

/** A number of few digits. */
export const short = (number) =>
  number !== 0 && Math.abs(number) < 0.001 ? number.toExponential(0) : number.toFixed(3);

export const plural = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

/** Copies text; where a page may not, shows it selected. */
export async function copy(text, button, source) {
  const name = button.textContent;
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } else {
    if (source.select) source.select();
    else getSelection().selectAllChildren(source);
    button.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => (button.textContent = name), 2000);
}
