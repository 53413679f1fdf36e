// What the SDK of OpenFeature for Node tells of flags, by its OFREP provider.
//
//     flags.mjs SETTINGS    a file of JSON: url, token (a file), targetingKey, flags (each with its key, kind, and default)
//
// NODE_EXTRA_CA_CERTS names the authority. Prints a list of results in JSON.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// The packages are installed beside the folder that this runs in.
const require = createRequire(`${process.cwd()}/`);
const { OpenFeature } = require("@openfeature/server-sdk");
const { OFREPProvider } = require("@openfeature/ofrep-provider");

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
// The kubelet renews the file.
const headersFactory = () => [["Authorization", `Bearer ${readFileSync(settings.token, "utf8").trim()}`]];
await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: settings.url, headersFactory }));
const client = OpenFeature.getClient();
const context = { targetingKey: settings.targetingKey };
const ask = {
  boolean: "getBooleanDetails",
  integer: "getNumberDetails",
  string: "getStringDetails",
  object: "getObjectDetails",
};

const results = [];
for (const flag of settings.flags) {
  const told = await client[ask[flag.kind]](flag.key, flag.default, context);
  results.push({ value: told.value, reason: told.reason, variant: told.variant ?? null, error: told.errorCode ?? null });
}
console.log(JSON.stringify(results));
