/**
 * Ask the service whose token it is, from a SIP application in AWS.
 *
 * Three ways lead there, and all of them end in one decision of what an answer means:
 *
 *     const via = throughInvocation(aliasArn);              // the SDK's direct invoke
 *     const via = throughFunctionUrl(url, { region });      // a Function URL, signed
 *     const via = throughApi(url);                          // a private API
 *
 *     const answer = await authorize(via, token, fromUser); // throws Fault: no decision, and never the user's fault
 *     if (answer.authorized) ... answer.sipUsername, answer.expiresAt ...
 *     else ... answer.sipStatus ...
 *
 * Make the way once, when the application starts: it keeps its connections open.
 */

import { Sha256 } from "@aws-crypto/sha256-js";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { SignatureV4 } from "@smithy/signature-v4";

const CONNECT_MILLISECONDS = 1000;
/** How long to wait for an answer; the service itself gives the tables 1.5 seconds (STORE_TIMEOUT_MS). */
const ANSWER_MILLISECONDS = 3000;
/** Asking again is safe, since it changes nothing. Together this ends long before SIP's own 32 seconds do. */
const ATTEMPTS = 2;

/** Seconds. */
const MAX_RETRY_AFTER = 900;
const DEFAULT_RETRY_AFTER = 5;

const NOT_FETCHED_YET = "urn:auth-jwt:problem:key-not-fetched-yet";
const TOKEN = /^[!-~]+$/;
const CALL_ID = /^[ -~]{1,128}$/;
const NAME = /^[A-Za-z0-9_.]{1,64}$/;
const LOOPBACK = ["127.0.0.1", "[::1]", "localhost"];

/** There is no decision, and it is not the user's fault: SIP 503. The message says why and quotes nothing sent. */
export class Fault extends Error {
  name = "Fault";
}

/**
 * There is no decision yet, and nobody is at fault: the key of the token's issuer is not fetched yet. Ask again in
 * `retryAfter` seconds. It is SIP 503 as well, so an application that knows only Fault refuses nobody. It is no error in
 * a log.
 */
export class Deferred extends Fault {
  name = "Deferred";

  constructor(retryAfter) {
    super(`deferred: the key that signed the token is not fetched yet; ask again in ${retryAfter} s`);
    this.retryAfter = retryAfter;
  }
}

/**
 * The token is good, and its user is `sipUsername`; no registration should outlive `expiresAt` (UNIX seconds).
 * @typedef {{authorized: true, sipUsername: string, decodedToken: string, credentials: Record<string, unknown>,
 *   expiresAt: number}} Authorized
 *
 * The token is refused (401, a challenge; a proxy answers 407), or is good and somebody else's (403). Direct
 * invocation does not tell one from the other, and it is always 401.
 * @typedef {{authorized: false, sipStatus: 401 | 403}} Denied
 *
 * Sends a JSON body, and resolves to what came back, not yet understood, or throws Fault.
 * @typedef {(body: string) => Promise<{status: number, body: string}>} Transport
 */

/**
 * Ask whether `token` is good, and `fromUser` its user.
 *
 * @param {Transport} via how to ask
 * @param {string} token as it stood after `Bearer`
 * @param {string} fromUser whom the SIP request acts as: user of To in a REGISTER, of From in any other request
 * @param {{fromDomain?: string, callId?: string}} [more] domain likewise, when profiles have one; for the service's log
 * @returns {Promise<Authorized | Denied>}
 * @throws {Deferred} nobody knows yet; answer 503 with its `retryAfter`, and log no error
 * @throws {Fault} nobody knows; answer 503
 * @throws {TypeError} `fromUser` is no text. JSON would leave it out, and nobody would look whose token it is
 */
export async function authorize(via, token, fromUser, { fromDomain, callId } = {}) {
  for (const [name, value] of Object.entries({ token, fromUser, fromDomain: fromDomain ?? "" })) {
    if (typeof value !== "string") throw new TypeError(`${name} is not a string`);
  }
  // No JWT, and perhaps not even Unicode, which JSON would not carry.
  if (!TOKEN.test(token)) return { authorized: false, sipStatus: 401 };
  const question = { jwt_token: token, from_user: fromUser, from_domain: fromDomain ?? undefined };
  if (typeof callId === "string" && CALL_ID.test(callId)) question.call_id = callId;
  const answer = decisionOf(await via(JSON.stringify(question)));
  if (answer.authorized && answer.sipUsername !== fromUser) throw new Fault("the answer is about another user");
  return answer;
}

/**
 * Understand a reply. Only 200 with `"code": 1` authorizes, and only `"code": -1` denies.
 *
 * @param {{status: number, body: string}} reply
 * @returns {Authorized | Denied}
 * @throws {Deferred} it is 200 with `"code": 0`, as direct invocation says it, or 503 with the problem of that name
 * @throws {Fault} it is anything else: the gateway's own answer, a function error, a page of some proxy
 */
export function decisionOf({ status, body }) {
  const members = parsed(body);
  if (members?.code === -1) return { authorized: false, sipStatus: status === 403 ? 403 : 401 };
  if (members?.code === 1 && status === 200 && isWhole(members)) {
    const { sip_username: sipUsername, decoded_token: decodedToken, credentials, expires_at: expiresAt } = members;
    return { authorized: true, sipUsername, decodedToken, credentials, expiresAt };
  }
  if ((members?.code === 0 && status === 200) || (members?.type === NOT_FETCHED_YET && status === 503)) {
    throw new Deferred(retryAfterOf(members));
  }
  throw new Fault(`an answer that decides nothing, HTTP status ${status}`);
}

/**
 * Invoke the function by the SDK.
 *
 * @param {string} functionArn of its alias, the stack's output AuthorizeFunctionArn
 * @param {{credentials?: object, region?: string, endpoint?: string, answerMilliseconds?: number}} [options]
 *   credentials: by default those of the process; endpoint: of Lambda, for a VPC endpoint without private DNS
 * @returns {Transport}
 */
export function throughInvocation(functionArn, { answerMilliseconds = ANSWER_MILLISECONDS, ...options } = {}) {
  const client = new LambdaClient({
    ...(functionArn.startsWith("arn:") && { region: functionArn.split(":")[3] }),
    maxAttempts: ATTEMPTS, // of throttling, too, after a short wait
    requestHandler: {
      connectionTimeout: CONNECT_MILLISECONDS,
      requestTimeout: answerMilliseconds,
      throwOnRequestTimeout: true, // or it would only be warned of
    },
    ...options,
  });
  return async (body) => {
    let given;
    try {
      given = await client.send(new InvokeCommand({ FunctionName: functionArn, Payload: body }));
    } catch (error) {
      // Some of the SDK's errors hold the request, so none of them is passed on.
      throw new Fault(`no answer from Lambda: ${named(error?.name)}`);
    }
    const text = new TextDecoder().decode(given.Payload);
    if (given.FunctionError) throw new Fault(`the function failed: ${named(parsed(text)?.errorType)}`);
    return { status: given.StatusCode, body: text };
  };
}

/**
 * Send signed requests (Signature Version 4) to a Function URL. The signature takes the header Authorization, so the
 * token travels in the body.
 *
 * @param {string} url the output AuthorizeUrl of function-url.yaml, `/authorize` included
 * @param {{region: string, credentials?: object, service?: string, answerMilliseconds?: number}} options
 *   region: of the function; credentials: by default those of the process; service: `execute-api` asks an API with
 *   Gate=iam in the same way
 * @returns {Transport}
 */
export function throughFunctionUrl(
  url,
  { region, credentials = defaultProvider(), service = "lambda", answerMilliseconds = ANSWER_MILLISECONDS },
) {
  const { protocol, hostname, host, port, pathname } = checked(url);
  const signer = new SignatureV4({ service, region, credentials, sha256: Sha256 });
  return async (body) => {
    let signed;
    try {
      signed = await signer.sign({
        method: "POST",
        protocol,
        hostname,
        port: port ? Number(port) : undefined,
        path: pathname,
        query: {},
        headers: { host, "content-type": "application/json" },
        body,
      });
    } catch (error) {
      throw new Fault(`no AWS credentials: ${named(error?.name)}`);
    }
    const { host: _, ...headers } = signed.headers; // which fetch sets
    return post(url, body, headers, answerMilliseconds);
  };
}

/**
 * Send requests to an API of API Gateway.
 *
 * @param {string} url the stack's output ApiUrl, or that of a VPC endpoint
 * @param {{apiId?: string, apiKey?: string, answerMilliseconds?: number}} [options]
 *   apiId: which API of the VPC endpoint is meant, when the host name of `url` does not say so; apiKey: for an API with
 *   Gate=api-key, a private one needs none
 * @returns {Transport}
 */
export function throughApi(url, { apiId, apiKey, answerMilliseconds = ANSWER_MILLISECONDS } = {}) {
  checked(url);
  const headers = {
    "content-type": "application/json",
    ...(apiId && { "x-apigw-api-id": apiId }),
    ...(apiKey && { "x-api-key": apiKey }),
  };
  return (body) => post(url, body, headers, answerMilliseconds);
}

/** Post, once more where nothing came back. Any status is an answer; asking a throttled gateway again makes it worse. */
async function post(url, body, headers, milliseconds) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const signal = AbortSignal.timeout(milliseconds);
      const response = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal });
      return { status: response.status, body: await response.text() };
    } catch (error) {
      if (attempt === ATTEMPTS) throw new Fault(`no answer: ${named(error?.cause?.code ?? error?.name)}`);
    }
  }
}

function checked(url) {
  const address = new URL(url);
  if (address.protocol !== "https:" && !LOOPBACK.includes(address.hostname)) throw new TypeError("the URL is not https");
  return address;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function retryAfterOf({ retry_after: seconds }) {
  return Number.isInteger(seconds) && seconds >= 1 && seconds <= MAX_RETRY_AFTER ? seconds : DEFAULT_RETRY_AFTER;
}

function isWhole({ sip_username: user, decoded_token: decoded, credentials, expires_at: expiresAt }) {
  const isObject = typeof credentials === "object" && credentials !== null && !Array.isArray(credentials);
  return typeof user === "string" && user !== "" && typeof decoded === "string" && isObject && Number.isInteger(expiresAt);
}

function named(name) {
  return typeof name === "string" && NAME.test(name) ? name : "an unknown error";
}
