import { PortalError } from './portal.js';

// The login at an OpenID provider: the authorization code flow with PKCE (RFC 7636), by a page without a secret. Tokens
// are in memory alone. What must outlive the way to the provider and back is in the tab's own storage meanwhile.

const PENDING = 'softphone-login';
const PATIENCE_MS = 10_000;

/** What the page must know of the provider; null where there is none. */
export async function provider() {
  const given = await (await fetch('/provider', { signal: AbortSignal.timeout(PATIENCE_MS) })).json();
  return given.issuer ? given : null;
}

/** Goes to the provider, which asks who is there. The browser comes back to this page. */
export async function goTo(config) {
  const pending = { verifier: random(), state: random(), nonce: random() };
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(pending.verifier));
  const asked = new URLSearchParams({
    client_id: config.client_id,
    redirect_uri: `${location.origin}/`,
    response_type: 'code',
    scope: config.scope,
    resource: config.resource, // RFC 8707: whom the access token is for
    prompt: 'login consent', // each tab may be somebody else; and a refresh token wants consent
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: 'S256',
  });
  location.assign(`${config.authorization_endpoint}?${asked}`);
}

/** The login that the browser comes back with; null where it comes from elsewhere. */
export async function comeBack(config) {
  const given = new URLSearchParams(location.search);
  if (!given.has('state')) return null;
  const pending = JSON.parse(sessionStorage.getItem(PENDING));
  sessionStorage.removeItem(PENDING);
  history.replaceState(null, '', '/'); // the code serves once, and need not be seen
  if (given.get('state') !== pending?.state || given.get('iss') !== config.issuer) { // RFC 9700, RFC 9207
    throw new PortalError('That is no answer to a login of this tab', 400);
  }
  if (given.has('error')) throw new PortalError(`The provider says ${given.get('error')}`, 403);
  const tokens = await askForTokens(config, {
    grant_type: 'authorization_code',
    code: given.get('code'),
    redirect_uri: `${location.origin}/`,
    code_verifier: pending.verifier,
  });
  const { iss, aud, nonce, sub } = claimsOf(tokens.id_token); // straight from the provider, so nobody signs it to us
  if (iss !== config.issuer || aud !== config.client_id || nonce !== pending.nonce) {
    throw new PortalError('The provider answered for somebody else', 400);
  }
  return new Login(config, sub, tokens);
}

/** Somebody who has logged in at the provider. `user` is their `sub`, which is the SIP user here. */
class Login {
  #config;
  #tokens;
  #isFresh = true;

  constructor(config, user, tokens) {
    this.#config = config;
    this.user = user;
    this.#tokens = tokens;
  }

  /** An access token, another one each time: by the refresh token, so nobody is asked anything. */
  async token() {
    if (!this.#isFresh) {
      const refresh = { grant_type: 'refresh_token', refresh_token: this.#tokens.refresh_token };
      this.#tokens = { ...this.#tokens, ...await askForTokens(this.#config, refresh) };
    }
    this.#isFresh = false;
    const { access_token: token, expires_in } = this.#tokens;
    const sip_uri = `sip:${encodeURIComponent(this.user)}@${this.#config.sip_domain}`;
    return { token, expires_in, sip_uri, websocket: this.#config.websocket };
  }
}

async function askForTokens({ token_endpoint, client_id, resource }, members) {
  let response;
  try {
    response = await fetch(token_endpoint, {
      method: 'POST',
      body: new URLSearchParams({ client_id, resource, ...members }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (response.ok) return await response.json();
  } catch {
    throw new PortalError('The OpenID provider does not answer', response?.status ?? 0);
  }
  const hasEnded = response.status === 400 || response.status === 401; // RFC 6749, section 5.2
  throw new PortalError('The login at the OpenID provider has ended', hasEnded ? 401 : response.status);
}

function claimsOf(token) {
  const bytes = Uint8Array.from(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}
