// Ready calls of a signature.

const ZEROS = { string: "", bool: false };

/** A request: the card's examples, or zeros of the right shape. */
export function exampleOf(signature) {
  return Object.fromEntries(
    Object.entries(signature.inputs).map(([name, tensor]) => [name, tensor.example ?? zeros(tensor)]),
  );
}

export function curl(address, name, inputs) {
  const body = JSON.stringify({ signature_name: name, inputs }).replaceAll("'", "'\\''");
  return `curl -d '${body}' \\\n  '${address}:predict'`;
}

export function python(address, name, inputs) {
  return [
    "import json",
    "import urllib.request",
    "",
    `request = {"signature_name": ${literal(name)}, "inputs": ${literal(inputs)}}`,
    `url = ${literal(`${address}:predict`)}`,
    "with urllib.request.urlopen(url, json.dumps(request).encode()) as answer:",
    '    print(json.load(answer)["outputs"])',
  ].join("\n");
}

function zeros({ dtype, shape }) {
  const value = ZEROS[dtype] ?? 0;
  return (shape ?? []).reduceRight(
    (inner, size) => Array.from({ length: Number(size) || 1 }, () => inner),
    value,
  );
}

/** A value of JSON as Python writes it. */
function literal(value) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") {
    const pairs = Object.entries(value).map(([key, part]) => `${literal(key)}: ${literal(part)}`);
    return `{${pairs.join(", ")}}`;
  }
  return JSON.stringify(value);
}
