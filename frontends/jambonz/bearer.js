'use strict';

// Bearer tokens (RFC 8898) for drachtio applications. Like the stock authenticators it sets `req.authorization` and calls
// `next` for a request that is admitted, and answers every other request itself. Node 18 or newer, no dependencies.

const TOKEN = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+) *$/i;
const HEADERS_POSTED = ['from', 'to', 'call-id'];
const RETRY_AFTER_SECONDS = 5;
const SECONDS = /^([1-9]\d?|[1-8]\d\d|900)$/; // of a Retry-After that is passed on
const DEFERRED = 'urn:auth-jwt:problem:key-not-fetched-yet';

/**
 * Make the middleware.
 *
 * @param {object} options
 * @param {string} options.url - the API's `/frontends/jambonz`.
 * @param {string} options.realm - the SIP domain served: shown in challenges, and what the user's profile must have.
 * @param {string} [options.apiKey] - the API's key, where it has one.
 * @param {string} [options.authzServer] - where a token can be had, for challenges.
 * @param {number} [options.timeoutMs] - how long the API may take.
 * @param {Function} [options.digest] - middleware for requests without a Bearer token, say a stock authenticator.
 * @param {object} [options.logger] - has `error(members, text)`, and `info` likewise; gets no token.
 * @returns {Function} drachtio middleware.
 */
function bearer({url, realm, apiKey, authzServer, timeoutMs = 3000, digest, logger}) {
  if (!url || !realm) throw new TypeError('url and realm are needed');
  const parts = [`realm="${realm}"`, ...(authzServer ? [`authz_server="${authzServer}"`] : [])];
  const challenge = (res, ...more) =>
    res.send(401, {headers: {'WWW-Authenticate': `Bearer ${[...parts, ...more].join(', ')}`}});
  const headers = {'Content-Type': 'application/json', ...(apiKey && {'x-api-key': apiKey})};

  async function ask(req, token) {
    const named = HEADERS_POSTED.filter((name) => req.has(name)).map((name) => [name, req.get(name)]);
    return fetch(url, {
      method: 'POST',
      headers,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      body: JSON.stringify({
        source_address: req.source_address,
        source_port: req.source_port,
        method: req.method,
        headers: Object.fromEntries(named),
        expires: req.registration ? req.registration.expires : null,
        scheme: 'bearer',
        realm,
        jwt_token: token
      })
    });
  }

  return async(req, res, next) => {
    const value = req.has('Authorization') ? req.get('Authorization') : null;
    const isBearer = value !== null && /^\s*bearer\b/i.test(value);
    if (!isBearer && digest) return digest(req, res, next);
    if (!isBearer) return challenge(res);
    const match = TOKEN.exec(value);
    if (!match) return challenge(res, 'error="invalid_token"');

    let grant = null;
    let retryAfter = RETRY_AFTER_SECONDS;
    try {
      const response = await ask(req, match[1]);
      retryAfter = secondsOf(response);
      if (response.status === 200) grant = await response.json();
      else if (!await isDeferred(response)) throw new Error(`the API answered ${response.status}`);
      else logger?.info?.({retryAfter}, 'deferred: the key that signed a token is not fetched yet');
    } catch (err) {
      if (logger) logger.error({reason: err.message}, 'no decision about a token');
    }
    // Both members, both exact: whatever else an answer is, it is no decision.
    if (grant && grant.status === 'fail' && grant.code === -1) return challenge(res, 'error="invalid_token"');
    if (!grant || grant.status !== 'ok' || grant.code !== 1) {
      return res.send(503, {headers: {'Retry-After': retryAfter}});
    }
    if (req.registration && grant.expires) req.registration.expires = grant.expires;
    delete req.headers.authorization; // nobody behind this needs the token
    req.authorization = {challengeResponse: {scheme: 'bearer', username: grant.sip_username, realm}, grant};
    next();
  };
}

/** When the client is to come back: as the API says with its 503, if it says so in seconds, up to 15 minutes. */
function secondsOf(response) {
  const value = response.status === 503 ? response.headers.get('retry-after') : null;
  return SECONDS.test(value) ? Number(value) : RETRY_AFTER_SECONDS;
}

/** Whether a token was neither admitted nor refused since its issuer's key is not fetched yet: nobody's fault. */
async function isDeferred(response) {
  const problem = response.status === 503 ? await response.json().catch(() => null) : null;
  return problem !== null && problem.type === DEFERRED;
}

module.exports = bearer;
