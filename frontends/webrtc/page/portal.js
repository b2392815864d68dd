// What the page asks of its own server: a session, and tokens. Cookies keep the session, so no script ever sees it.

const PATIENCE_MS = 10_000;

/** A request that failed: `status` is that of HTTP, 0 without an answer; `retryAfter` is in seconds, if it is known. */
export class PortalError extends Error {
  constructor(message, status, retryAfter) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export const logIn = (user, password) => post('/session', { user, password });
export const tokenOf = (user) => post(`/users/${encodeURIComponent(user)}/token`);
export const logOut = (user) => post(`/users/${encodeURIComponent(user)}/logout`);

async function post(path, members = {}) {
  let response;
  let given;
  try {
    response = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(members),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    given = response.status === 204 ? {} : await response.json();
  } catch {
    throw new PortalError('The web login does not answer', response?.status ?? 0);
  }
  if (response.ok) return given;
  const retryAfter = Number(response.headers.get('Retry-After'));
  throw new PortalError(given.title ?? 'The web login failed', response.status, retryAfter);
}
