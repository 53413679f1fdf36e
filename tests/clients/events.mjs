// Usage as the SDK of CloudEvents for Node writes it: one event, then a batch.
//
//     events.mjs SETTINGS    a file of JSON: url, token (a file), organization, definition
//
// NODE_EXTRA_CA_CERTS names the authority. Prints the answers in JSON.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const { CloudEvent, CONSTANTS, HTTP } = require("cloudevents");

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
const token = readFileSync(settings.token, "utf8").trim();
const event = (number, amount) =>
  new CloudEvent({
    type: "dev.entitlements.usage.v1",
    source: "/node",
    id: `event-${number}`,
    subject: settings.organization,
    datacontenttype: "application/json",
    data: { definition: settings.definition, amount },
  });

async function send({ headers, body }) {
  const request = { method: "POST", headers: { ...headers, Authorization: `Bearer ${token}` }, body };
  const answer = await fetch(`${settings.url}/v1/events`, request);
  return { status: answer.status, body: await answer.json() };
}

const one = HTTP.structured(event(1, 1));
const batch = {
  headers: { "Content-Type": CONSTANTS.MIME_CE_BATCH },
  body: JSON.stringify([event(1, 1), event(2, 0.5)]),
};
console.log(JSON.stringify([await send(one), await send(batch)]));
