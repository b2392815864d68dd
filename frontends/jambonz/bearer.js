'use strict';

// Bearer tokens (RFC 8898) for drachtio applications. Like the stock authenticators it sets `req.authorization` and calls
// `next` for a request that is admitted, and answers every other request itself. Node 18 or newer, no dependencies.

const TOKEN = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+) *$/i;
const HEADERS_POSTED = ['from', 'to', 'call-id'];
const RETRY_AFTER_SECONDS = 5;

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
 * @param {object} [options.logger] - has `error(members, text)`; gets no token.
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
    const response = await fetch(url, {
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
    if (response.status !== 200) throw new Error(`the API answered ${response.status}`);
    return response.json();
  }

  return async(req, res, next) => {
    const value = req.has('Authorization') ? req.get('Authorization') : null;
    const isBearer = value !== null && /^\s*bearer\b/i.test(value);
    if (!isBearer && digest) return digest(req, res, next);
    if (!isBearer) return challenge(res);
    const match = TOKEN.exec(value);
    if (!match) return challenge(res, 'error="invalid_token"');

    let grant;
    try {
      grant = await ask(req, match[1]);
    } catch (err) {
      if (logger) logger.error({reason: err.message}, 'no decision about a token');
      grant = null;
    }
    // Both members, both exact: whatever else an answer is, it is no decision.
    if (grant && grant.status === 'fail' && grant.code === -1) return challenge(res, 'error="invalid_token"');
    if (!grant || grant.status !== 'ok' || grant.code !== 1) {
      return res.send(503, {headers: {'Retry-After': RETRY_AFTER_SECONDS}});
    }
    if (req.registration && grant.expires) req.registration.expires = grant.expires;
    delete req.headers.authorization; // nobody behind this needs the token
    req.authorization = {challengeResponse: {scheme: 'bearer', username: grant.sip_username, realm}, grant};
    next();
  };
}

module.exports = bearer;
