// Reads each file of a folder with a reader and prints what it got, as a JSON list in the order of the names.
// The packages are taken from the working folder.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));

const readers = {
  dotenv: (text) => variables(require("dotenv").parse(text)),
  "dotenv-fast": (text) => variables(require("dotenv").parse(text, { fast: true })),
  "dotenv-16": (text) => variables(require("dotenv-16").parse(text)),
  "yaml-1.1": (text) => readYaml(text, "1.1"),
  "yaml-1.2": (text) => readYaml(text, "1.2"),
  "js-yaml": (text) => typed(require("js-yaml").load(text)),
  "js-yaml-3": (text) => typed(require("js-yaml-3").safeLoad(text)),
};

function variables(object) {
  return new Map(Object.entries(object));
}

function readYaml(text, version) {
  return require("yaml").parse(text, { version, intAsBigInt: true, mapAsMap: true });
}

// Objects as maps, all the way down; a date is shown as what it is.
function typed(value) {
  if (Array.isArray(value)) return value.map(typed);
  if (value instanceof Date) return `a date: ${value.toISOString()}`;
  if (value === null || typeof value !== "object") return value;
  return new Map(Object.entries(value).map(([key, member]) => [key, typed(member)]));
}

// JSON in which big integers stay exact and keys keep their type.
function dump(value) {
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return `[${value.map(dump).join()}]`;
  if (!(value instanceof Map)) return JSON.stringify(value);
  const members = [...value].map(([key, member]) => {
    if (typeof key !== "string") throw new Error(`a key was read as ${typeof key}: ${key}`);
    return `${JSON.stringify(key)}:${dump(member)}`;
  });
  return `{${members.join()}}`;
}

const [reader, folder] = process.argv.slice(2);
const texts = readdirSync(folder)
  .sort()
  .map((name) => readFileSync(join(folder, name), "utf8"));
process.stdout.write(dump(texts.map(readers[reader])));
