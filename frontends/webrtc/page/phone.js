import { renew, userAgent } from './registration.js';

const RENEW_AT = 2 / 3; // of a registration's life
const RETRY_SECONDS = 5;
const MAX_RETRY_SECONDS = 120;
const KEY_NOT_FETCHED = 'Key not fetched yet'; // Kamailio's reason phrase
const MAX_WAITS = 5;
const CALL_OPTIONS = { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } };

/**
 * A phone: it stays registered with tokens of short life, and has one call at a time.
 *
 * `registration` is where it stands with the server:
 *   { state: 'out' }
 *   { state: 'connecting' }
 *   { state: 'registered', since, until, renewAt }            milliseconds since 1970
 *   { state: 'renewing', since, until }
 *   { state: 'unreachable' }                                  JsSIP connects again by itself
 *   { state: 'unavailable', text, retryAt, since?, until? }   it tries again by itself
 *   { state: 'waiting', retryAt, since?, until? }             for the key that signed the token; it tries again by itself
 *   { state: 'refused', text, since?, until? }                it does not: another token would be refused as well
 * Where there is an `until`, there is a registration, which holds until then, and calls are possible.
 * `call` is what it is doing:
 *   { state: 'none', text? }
 *   { state: 'calling' | 'ringing' | 'incoming' | 'talking', peer, muted, since? }
 *
 * Events: `change`, `note` (detail: a line on what went over the wire; no header, and no token, is in it), `audio`
 * (detail: the stream to be heard), `loggedout` (the portal wants a new login).
 */
export class Phone extends EventTarget {
  registration = { state: 'out' };
  call = { state: 'none' };
  #tokens;
  #token = null; // in memory, and nowhere else
  #ua = null;
  #session = null;
  #timer = null;
  #renewing = false;
  #waits = 0; // in a row
  #turn = 0; // goes up with every renewal and stop: an answer to an earlier one may be for another user

  /** `tokens` returns a promise of `{ token, expires_in, sip_uri, websocket }`. */
  constructor(tokens) {
    super();
    this.#tokens = tokens;
  }

  get address() {
    return this.#token?.sip_uri ?? '';
  }

  /** Registers with a fresh token: at first, before a registration ends, and whenever somebody wants it. */
  async renew() {
    if (this.#renewing) return;
    this.#renewing = true;
    const turn = ++this.#turn;
    this.#later(null);
    const { state, since, until } = this.registration;
    if (until > Date.now()) this.#isAt({ state: 'renewing', since, until });
    else if (['out', 'refused', 'waiting'].includes(state)) this.#isAt({ state: 'connecting' });
    try {
      const given = await this.#tokens();
      if (turn !== this.#turn) return;
      this.#note(`token issued, good for ${given.expires_in} s`);
      this.#use({ ...given, expires: Date.now() + given.expires_in * 1000, accepted: false });
    } catch (error) {
      if (turn === this.#turn) this.#noToken(error);
    } finally {
      if (turn === this.#turn) this.#renewing = false;
    }
  }

  /** Renews, or ends a wait, if it is time. To be called now and then: timers of a machine that slept come late. */
  catchUp() {
    const { state, renewAt, retryAt } = this.registration;
    if ((state === 'waiting' ? retryAt : renewAt) <= Date.now()) this.renew();
  }

  /** Unregisters, hangs up, and forgets the token. */
  stop() {
    this.#turn += 1;
    this.#renewing = false;
    this.#waits = 0;
    this.#later(null);
    this.#drop();
    this.#token = null;
    this.#session = null;
    this.#isAt({ state: 'out' });
    this.#calls({ state: 'none' });
  }

  // --- registration ---

  #use(token) {
    const same = this.#ua && token.sip_uri === this.#token.sip_uri && token.websocket === this.#token.websocket;
    this.#token = token;
    if (same) {
      renew(this.#ua, token);
      if (!this.#ua.isConnected()) this.#isAt({ state: 'unreachable' });
      return;
    }
    this.#drop();
    this.#ua = userAgent(token);
    this.#follow(this.#ua);
    this.#ua.start();
  }

  #drop() {
    const ua = this.#ua;
    this.#ua = null;
    ua?.stop();
  }

  #follow(ua) {
    const on = (name, act) => ua.on(name, (event) => ua === this.#ua && act(event));
    on('connected', () => {
      this.#note('WebSocket open');
      this.#isAt({ state: 'connecting' });
    });
    on('disconnected', () => {
      this.#note('WebSocket closed');
      this.#isAt({ state: 'unreachable' });
    });
    on('registrationExpiring', () => this.renew()); // ours comes earlier; unheard, JsSIP would use the old token
    on('registrationFailed', ({ response }) => this.#refused(response));
    on('newRTCSession', ({ session }) => this.#begin(session));
    on('newTransaction', ({ transaction }) => this.#watch(ua, transaction));
  }

  // JsSIP tells of the first registration, but of no renewal: so the answers themselves are read.
  #watch(ua, { type, request, eventHandlers }) {
    if (type === 'ist' || type === 'nist') {
      this.#note(`← ${request.method} from ${nameOf(request.from.uri, ua.configuration.uri.host)}`);
      return;
    }
    this.#note(`→ ${request.method} ${request.ruri}`);
    const answered = eventHandlers.onReceiveResponse;
    eventHandlers.onReceiveResponse = (response) => {
      if (ua === this.#ua && response.status_code > 100) {
        this.#note(`← ${response.status_code} ${response.reason_phrase} to ${request.method}`);
      }
      answered(response);
      if (ua === this.#ua && request.method === 'REGISTER' && ua.isRegistered()) this.#registered(ua, response);
    };
  }

  #registered(ua, response) {
    const seconds = expiresOf(response, ua);
    if (seconds === null) return;
    const now = Date.now();
    const until = Math.min(now + seconds * 1000, this.#token.expires);
    this.#token.accepted = true;
    this.#waits = 0;
    this.#note(`registered for ${Math.round((until - now) / 1000)} s`);
    const renewAt = now + (until - now) * RENEW_AT;
    this.#isAt({ state: 'registered', since: now, until, renewAt });
    this.#later(renewAt - now, () => this.renew());
  }

  #refused(response) {
    const status = response?.status_code;
    if (status === undefined && !this.#ua.isConnected()) return; // told by `disconnected`
    const { accepted, expires } = this.#token;
    if ((status === 401 || status === 407) && (accepted || expires <= Date.now())) {
      this.renew(); // it was good once, or ended before it was used: another may do
    } else if (status === 401 || status === 407) {
      this.#gaveUp('The SIP server refused the token.');
    } else if (status === 403) {
      this.#gaveUp(`The token does not speak for ${this.address}, says the SIP server.`);
    } else if (status >= 400 && status < 500 && status !== 408) {
      this.#gaveUp(`The SIP server refused: ${status} ${response.reason_phrase}.`);
    } else if (status === 503 && response.reason_phrase === KEY_NOT_FETCHED) {
      this.#wait(response.getHeader('Retry-After'));
    } else {
      this.#tryAgain('Service unavailable.', Number(response?.getHeader('Retry-After')?.match(/^\d+/)?.[0]));
    }
  }

  #noToken(error) {
    if (error.status === 401) {
      this.stop();
      this.#tell('loggedout', error.message);
    } else if (error.status >= 400 && error.status < 500) {
      this.#note(`no token: ${error.message}`);
      this.#gaveUp(`The web login refused: ${error.message}.`);
    } else {
      this.#note(`no token: ${error.message ?? error}`);
      this.#tryAgain(`${error.message}.`, error.retryAfter);
    }
  }

  // The login is so new that the service has not fetched the key yet: neither refused nor a fault, and soon over.
  #wait(retryAfter) {
    if (this.#waits === MAX_WAITS) {
      this.#gaveUp('The SIP server still does not know the key of your login.');
      return;
    }
    this.#waits += 1;
    const seconds = Number(retryAfter?.match(/^([1-9]\d?|[1-8]\d\d|900)(?!\d)/)?.[1] ?? RETRY_SECONDS);
    const milliseconds = seconds * 1000 + Math.random() * 1000; // so that not all phones come at once
    const { since, until } = this.registration;
    this.#isAt({ state: 'waiting', retryAt: Date.now() + milliseconds, since, until });
    this.#later(milliseconds, () => this.renew());
  }

  #gaveUp(text) {
    this.#waits = 0;
    this.#later(null);
    const { since, until } = this.registration; // which holds, if there is one, until it ends
    this.#isAt({ state: 'refused', text, since, until });
  }

  #tryAgain(text, retryAfter) {
    const seconds = Math.min(retryAfter || RETRY_SECONDS, MAX_RETRY_SECONDS);
    const milliseconds = seconds * 1000 + Math.random() * 1000; // so that not all phones come at once
    const { since, until } = this.registration;
    this.#isAt({ state: 'unavailable', text, retryAt: Date.now() + milliseconds, since, until });
    this.#later(milliseconds, () => this.renew());
  }

  // --- the call ---

  /** Calls a user of the same domain, or a SIP address. */
  dial(target) {
    if (this.#session) return;
    try {
      this.#ua.call(target, CALL_OPTIONS);
    } catch {
      this.#calls({ state: 'none', text: `“${target}” is no SIP address.` });
    }
  }

  answer() {
    this.#session?.answer(CALL_OPTIONS);
  }

  decline() {
    this.#session?.terminate({ status_code: 603 });
  }

  hangUp() {
    this.#session?.terminate();
  }

  mute(muted) {
    if (muted) this.#session?.mute({ audio: true });
    else this.#session?.unmute({ audio: true });
    this.#calls({ ...this.call, muted });
  }

  #begin(session) {
    if (this.#session) {
      session.terminate({ status_code: 486 });
      return;
    }
    this.#session = session;
    const peer = nameOf(session.remote_identity.uri, this.#ua.configuration.uri.host);
    const mine = session.direction === 'outgoing';
    this.#calls({ state: mine ? 'calling' : 'incoming', peer, muted: false });
    const on = (name, act) => session.on(name, (event) => session === this.#session && act(event));
    on('progress', ({ originator }) => originator === 'remote' && this.#calls({ ...this.call, state: 'ringing' }));
    on('accepted', () => this.#calls({ ...this.call, state: 'talking', since: Date.now() }));
    on('ended', () => this.#end(`The call with ${peer} has ended.`));
    on('failed', (event) => this.#end(whyNoCall(event, peer, mine), event.message?.status_code));
    const hear = (connection) =>
      connection.addEventListener('track', ({ streams }) => this.#tell('audio', streams[0] ?? null));
    if (session.connection) hear(session.connection);
    else session.on('peerconnection', ({ peerconnection }) => hear(peerconnection));
  }

  #end(text, status) {
    this.#session = null;
    this.#calls({ state: 'none', text: readable(text) });
    this.#tell('audio', null);
    if (status === 401 || status === 407) this.renew(); // a registration with that token would be refused as well
  }

  // --- telling ---

  #later(milliseconds, act) {
    clearTimeout(this.#timer);
    this.#timer = act ? setTimeout(act, milliseconds) : null;
  }

  #isAt(registration) {
    this.registration = registration;
    this.#tell('change');
  }

  #calls(call) {
    this.call = call;
    this.#tell('change');
  }

  #note(line) {
    this.#tell('note', readable(line));
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** Who that is: a user by name within the domain, and with the other domain's name from elsewhere. */
function nameOf(uri, domain) {
  const host = uri.host === domain ? '' : uri.host;
  return readable([uri.user, host].filter(Boolean).join('@') || uri.host);
}

// A caller writes some of it: nothing in there turns the direction of the text, breaks the line, or cannot be seen.
function readable(text) {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\ufffd');
}

/** How many seconds the server gave our own contact; null where it is not in the answer. */
function expiresOf(response, ua) {
  for (let index = 0; index < response.getHeaders('contact').length; index += 1) {
    const contact = response.parseHeader('contact', index);
    if (contact?.uri.user === ua.contact.uri.user) {
      return Number(contact.getParam('expires') ?? response.getHeader('expires') ?? 0);
    }
  }
  return null;
}

function whyNoCall({ originator, cause, message }, peer, mine) {
  if (cause === 'Canceled') {
    if (mine) return 'Call cancelled.';
    const isAnswered = /^SIP\s*;.*\bcause=200\b/i.test(message?.getHeader('Reason') ?? ''); // RFC 3326
    return isAnswered ? `Another phone answered the call from ${peer}.` : `You missed a call from ${peer}.`;
  }
  if (cause === 'User Denied Media Access') return 'No microphone: allow it for this page, and call again.';
  if (!mine) return originator === 'local' ? `You declined the call from ${peer}.` : `The call from ${peer} failed.`;
  const status = message?.status_code;
  switch (status) {
    case 401:
    case 407:
      return 'The SIP server refused the token for this call.';
    case 403:
      return `The SIP server does not let you call ${peer}.`;
    case 404:
    case 410:
    case 480:
      return `${peer} has no phone registered at present.`;
    case 408:
    case 487:
      return `${peer} did not answer.`;
    case 486:
    case 600:
      return `${peer} is busy.`;
    case 603:
      return `${peer} declined.`;
    case 503:
      return 'Service unavailable: the call did not go through. Try again shortly.';
    default:
      return `The call to ${peer} failed: ${status ? `${status} ${message.reason_phrase}` : cause}.`;
  }
}
