// Evaluates flagd flags at given moments: reads {"flags": text, "questions": [[flag, type, second], ...]} from standard
// input, and prints the [value, variant] of each as a JSON list; or, where flagd's schema refuses the flags, what it says.
// The packages are taken from the working folder.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const { FlagdCore, MemoryStorage } = require("@openfeature/flagd-core");

const silent = { error() {}, warn() {}, info() {}, debug() {} };
const asked = JSON.parse(readFileSync(0, "utf8"));
const storage = new MemoryStorage(silent);
try {
  storage.setConfigurations(asked.flags, true);
} catch (error) {
  process.stdout.write(JSON.stringify({ refused: error.message }));
  process.exit();
}
const core = new FlagdCore(storage, silent);
const resolve = {
  boolean: (flag) => core.resolveBooleanEvaluation(flag, null),
  integer: (flag) => core.resolveNumberEvaluation(flag, null),
  number: (flag) => core.resolveNumberEvaluation(flag, null),
  object: (flag) => core.resolveObjectEvaluation(flag, null),
};
const answers = asked.questions.map(([flag, type, second]) => {
  // The evaluator takes `$flagd.timestamp` from here.
  Date.now = () => second * 1000 + 900;
  const details = resolve[type](flag);
  return [details.value, details.variant];
});
process.stdout.write(JSON.stringify(answers));
