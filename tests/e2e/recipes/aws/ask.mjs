/**
 * A SIP application, as far as it asks: orders come as JSON on standard input, what became of them goes out as JSON.
 *
 * Orders: `way`, its `url` and `options`; `questions`, each the arguments of `authorize` after the way; or `replies`,
 * which are only to be understood. For each, one object comes back: the answer, or `{deferred, seen}`, `{fault, seen}` or `{error, seen}`.
 * Or `registrations`, each the arguments of `onRegister` of an `application`, the text of a module.
 */

import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import * as client from "../../../../frontends/aws/node/authorize.mjs";

const orders = JSON.parse(readFileSync(0, "utf8"));
const { way, url, options, questions = [], replies = [], application, registrations = [] } = orders;
const clientUrl = new URL("../../../../frontends/aws/node/authorize.mjs", import.meta.url);

/** What the client gave, or how it failed; `seen` is the most that a logger could write of it. */
async function outcomeOf(asked) {
  try {
    return await asked();
  } catch (error) {
    const seen = inspect(error, { depth: Infinity, showHidden: true, maxStringLength: null });
    if (error instanceof client.Deferred) return { deferred: error.retryAfter, seen };
    return error instanceof client.Fault ? { fault: error.message, seen } : { error: error.name, seen };
  }
}

const outcomes = [];
if (questions.length > 0) {
  const made = await outcomeOf(() => ({ via: client[way](url, options) }));
  for (const question of made.via ? questions : []) {
    outcomes.push(await outcomeOf(() => client.authorize(made.via, ...question)));
  }
  if (!made.via) outcomes.push(made);
}
for (const reply of replies) outcomes.push(await outcomeOf(() => client.decisionOf(reply)));
if (application !== undefined) {
  const text = application
    .replace("./authorize.mjs", clientUrl)
    .replace(/const via = .*/, "const via = globalThis.via;");
  console.info = console.error; // standard output is for the outcomes
  globalThis.via = client[way](url, options);
  const { onRegister } = await import(`data:text/javascript,${encodeURIComponent(text)}`);
  for (const registration of registrations) outcomes.push(await onRegister(...registration));
}
process.stdout.write(JSON.stringify(outcomes));
process.exit(0); // not waiting for connections that are kept open
