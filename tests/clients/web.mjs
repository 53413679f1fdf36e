// What the SDK of OpenFeature for browsers tells of flags, by its OFREP provider, which asks for all of them again and again.
//
//     web.mjs SETTINGS    a file of JSON: url, token (a file), targetingKey, flags (each with its key, kind, and default), changes (a key)
//
// NODE_EXTRA_CA_CERTS names the authority. Prints a list of results in JSON, then, once the provider has been told that nothing has
// changed, a line "304", and, once the flag `changes` has, the list again.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const { OpenFeature, ProviderEvents } = require("@openfeature/web-sdk");
const { OFREPWebProvider } = require("@openfeature/ofrep-web-provider");

// What does not come to an end by then never will.
setTimeout(() => process.exit(1), 60_000).unref();

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
let isKept;
const kept = new Promise((resolve) => (isKept = resolve));
const provider = new OFREPWebProvider({
  baseUrl: settings.url,
  headersFactory: () => [["Authorization", `Bearer ${readFileSync(settings.token, "utf8").trim()}`]],
  pollInterval: 200,
  cacheMode: "disabled",
  fetchImplementation: async (...request) => {
    const response = await fetch(...request);
    if (response.status === 304) isKept();
    return response;
  },
});
await OpenFeature.setContext({ targetingKey: settings.targetingKey });
await OpenFeature.setProviderAndWait(provider);
const client = OpenFeature.getClient();
const ask = { boolean: "getBooleanDetails", integer: "getNumberDetails", string: "getStringDetails", object: "getObjectDetails" };

function tell() {
  const results = settings.flags.map((flag) => {
    const told = client[ask[flag.kind]](flag.key, flag.default);
    return { value: told.value, reason: told.reason, variant: told.variant ?? null, error: told.errorCode ?? null };
  });
  console.log(JSON.stringify(results));
}

tell();
const changed = new Promise((resolve) => {
  client.addHandler(ProviderEvents.ConfigurationChanged, ({ flagsChanged }) => {
    if (flagsChanged?.includes(settings.changes)) resolve();
  });
});
await kept;
console.log("304");
await changed;
tell();
await OpenFeature.close();
