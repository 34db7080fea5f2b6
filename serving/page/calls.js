// Ready calls of a signature.

const LONG = 800; // characters of a request that is written out
const ZEROS = { string: "", bool: false };

/** A request: the card's examples, or zeros where there is none or it has another shape. */
export function exampleOf(signature) {
  const tensors = Object.entries(signature.inputs);
  const sizes = {}; // of the letters in shapes, by the examples that fit
  for (const [, { example, shape }] of tensors) {
    if (fits(example, shape)) shape?.forEach((size, axis) => (sizes[size] ??= sizeOf(example, axis)));
  }
  return Object.fromEntries(
    tensors.map(([name, tensor]) => [
      name,
      fits(tensor.example, tensor.shape) ? tensor.example : zeros(tensor, sizes),
    ]),
  );
}

export function curl(address, name, inputs) {
  const body = JSON.stringify({ signature_name: name, inputs });
  const url = quoted(`${address}:predict`);
  if (body.length <= LONG) return `curl -d ${quoted(body)} \\\n  ${url}`;
  const code = `import json; print(json.dumps({"signature_name": ${literal(name)}, "inputs": ${literal(inputs)}}))`;
  return `python3 -c ${quoted(code)} \\\n  | curl -d @- ${url}`;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

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

const sizeOf = (value, axis) => (axis ? sizeOf(value[0], axis - 1) : value.length);

function fits(example, shape) {
  if (example === null) return false;
  return (shape ?? []).every((size, axis) => !Number.isInteger(size) || sizeOf(example, axis) === size);
}

function zeros({ dtype, shape }, sizes) {
  return (shape ?? []).reduceRight(
    (inner, size) => Array.from({ length: Number(size) || sizes[size] || 1 }, () => inner),
    ZEROS[dtype] ?? 0,
  );
}

/** A value of JSON as Python writes it. */
function literal(value) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value) && value.length > 3) {
    const parts = new Set(value.map(literal));
    if (parts.size === 1) return `[${[...parts][0]}] * ${value.length}`;
  }
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") {
    const pairs = Object.entries(value).map(([key, part]) => `${literal(key)}: ${literal(part)}`);
    return `{${pairs.join(", ")}}`;
  }
  return JSON.stringify(value);
}
