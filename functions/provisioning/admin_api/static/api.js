// Requests to the admin API, and its problems in words. No token and no value is ever part of an address, or kept.

const ADMIN = new URL("../", import.meta.url); // this file is /admin/page/api.js
const PATIENCE_MS = 40_000;
let key = null;

/** Prove by *value* that this window was opened with the address that `auth-jwt page` printed. */
export function prove(value) {
  key = value;
}

/** A request that was not answered as hoped. */
export class Problem extends Error {
  /**
   * @param {string} words what happened and what to do, in sentences
   * @param {{status?: number, id?: string, unsure?: boolean}} more the HTTP status, the id of the request in the log,
   *   and whether a write may have happened all the same
   */
  constructor(words, { status = 0, id = null, unsure = false } = {}) {
    super(words);
    Object.assign(this, { status, id, unsure });
  }
}

/** Return the path of a resource below /admin. */
export function at(...segments) {
  const odd = segments.find((segment) => segment === "." || segment === ".." || segment === "");
  if (odd !== undefined) {
    throw new Problem(`No browser can ask for “${odd}”: it takes such a name for a folder. Use the command line for it.`);
  }
  return segments.map(encoded).join("/");
}

/** Encode all but what needs no code (RFC 3986, 2.3): for the rest, signers and servers differ. */
export function encoded(text) {
  return encodeURIComponent(text).replace(/[!'()*]/g, (odd) => `%${odd.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Read JSON. A whole number that a double cannot hold becomes a BigInt, or in an older browser a text that says “about”. */
export function parsed(text) {
  return JSON.parse(text, (_, value, context) => {
    if (typeof value !== "number" || !Number.isInteger(value) || Number.isSafeInteger(value)) return value;
    const source = context?.source ?? "";
    return /^-?\d+$/.test(source) ? BigInt(source) : source === "" ? `about ${value}` : value;
  });
}

/**
 * Ask the admin API.
 *
 * @param {string} method the HTTP method
 * @param {string} path what `at` made, or such with a query
 * @param {string} doing the request in words: “Your role may not …”
 * @param {{body?: object, match?: string, operation?: string}} more body; version that the profile must have; and what
 *   a policy calls the request, where its path holds a name
 * @returns {Promise<{status: number, body: any, version: string | null}>} the answer to a request that succeeded
 * @throws {Problem} for every other answer, and for none
 */
export async function ask(method, path, doing, { body, match, operation } = {}) {
  const headers = { Accept: "application/json" };
  if (key !== null) headers["X-Auth-Jwt-Page"] = key;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (match) headers["If-Match"] = match;
  const isWrite = method !== "GET";
  let answer, text;
  try {
    answer = await fetch(new URL(path, ADMIN), {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store", credentials: "same-origin", redirect: "error", referrerPolicy: "no-referrer",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    text = await answer.text();
  } catch (error) {
    const late = error.name === "TimeoutError";
    throw new Problem(
      (late ? `There was no answer within ${PATIENCE_MS / 1000} seconds.` : "The server of this page does not answer. If the command that serves it has ended, start it again.") + unsure(isWrite),
      { unsure: isWrite },
    );
  }
  let read = null;
  try {
    read = text === "" ? null : parsed(text);
  } catch {
    if (answer.ok) throw new Problem(`The answer to this request is not JSON.${unsure(isWrite)}`, { status: answer.status, unsure: isWrite });
  }
  if (answer.ok) return { status: answer.status, body: read, version: answer.headers.get("ETag") };
  throw problemOf(answer, read ?? {}, { method, doing, isWrite, operation: operation ?? `/admin/${path.split("?")[0]}` });
}

function unsure(isWrite) {
  return isWrite ? " What you asked for may have been done or not: look before you do it again." : "";
}

function problemOf(answer, problem, { method, doing, isWrite, operation }) {
  const { status } = answer;
  const kind = String(problem.type ?? "").replace("urn:auth-jwt:problem:", "");
  const id = typeof problem.instance === "string" ? problem.instance.replace("urn:request:", "") : null;
  const detail = typeof problem.detail === "string" ? sentence(problem.detail) : "";
  const failed = status >= 500 && isWrite && kind !== "not-sent";
  return new Problem(wordsOf(), { status, id, unsure: failed });

  function wordsOf() {
    if (kind === "page-refused" || kind === "not-sent") return detail;
    if (kind === "no-answer") return detail + unsure(isWrite);
    switch (status) {
      case 400: return `The request to ${doing} was not right. ${detail || rules(problem)}`;
      case 403: return refusal(answer.headers.get("x-amzn-errortype") ?? "");
      case 404: return kind === "unknown-path" ? "This deployment is older than the page: it does not know this request." : detail || "It is not there any more.";
      case 409: return `It was not done. ${detail}`;
      case 412: return "Somebody changed this user meanwhile, so nothing was done.";
      case 413: return "That is too long.";
      case 429: return "The deployment takes no more requests for the moment. Wait a few seconds, and try again.";
      case 503: return `The tables do not answer now. Wait a moment, and try again.${unsure(isWrite)}`;
      case 504: return `The deployment took too long to answer.${unsure(isWrite)}`;
      default: return status >= 500
        ? `The service failed, which is not your fault. ${detail || unsure(isWrite)} Its log tells why.`
        : `The deployment refused to ${doing}, with the status ${status}. ${detail}`;
    }
  }

  function refusal(type) {
    if (/Expired/.test(type)) return "Your login with AWS has expired. Log in again (aws sso login), then try again.";
    if (/Signature|UnrecognizedClient|IncompleteSignature|InvalidClientTokenId|MissingAuthentication/.test(type)) {
      return "AWS does not accept the signature: your login has ended, or the clock of this machine is wrong. Log in again, then try again.";
    }
    return `Your role may not ${doing}. It would need execute-api:Invoke on ${method}${operation}. If it used to work, your login with AWS may have ended.`;
  }
}

function rules(problem) {
  const errors = Array.isArray(problem.errors) ? problem.errors : [];
  return errors.map(({ field, rule }) => `${field}: ${rule}.`).join(" ");
}

function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
