import { Phone } from './phone.js';
import { logIn, logOut, tokenOf } from './portal.js';
import { comeBack, goTo, provider } from './provider.js';

const MAX_NOTES = 60;
const USER = 'softphone-user'; // in the tab's own storage: who is here after a reload. No token is ever stored.

const $ = (id) => document.getElementById(id);
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

let user = sessionStorage.getItem(USER);
let atProvider = null; // the login there; null where the portal's own is used
const phone = new Phone(() => (atProvider ? atProvider.token() : tokenOf(user)));

// --- what is shown: always all of it, by what the phone says of itself ---

const STATES = {
  out: () => 'Logged out',
  connecting: () => 'Connecting …',
  registered: ({ until }) => `Registered until ${clock.format(until)}`,
  renewing: () => 'Renewing …',
  unreachable: () => 'SIP server not reachable',
  unavailable: ({ text }) => text.replace(/\.$/, ''),
  waiting: ({ retryAt }) => `Your login is new: registering in ${secondsUntil(retryAt)} s`,
  refused: () => 'Refused',
};
const MORE = {
  unreachable: () => 'It connects again by itself.',
  unavailable: () => 'It tries again by itself.',
  waiting: () => 'The SIP server does not know its key yet.',
  refused: ({ text }) => text,
};
const NEXT = {
  unavailable: ({ retryAt }) => `Next try at ${clock.format(retryAt)}.`, // changes often, so nobody reads it out
  refused: () => 'It does not try again by itself.',
};
const BUTTON = { refused: 'Try again', unavailable: 'Try again now', waiting: 'Try again now' };
const ENABLED = ['registered', 'refused', 'unavailable', 'waiting'];
const DOING = {
  calling: () => 'Calling …',
  ringing: () => 'Ringing …',
  incoming: () => 'Is calling you',
  talking: ({ since, muted }) => `In a call · ${lengthOf(Date.now() - since)}${muted ? ' · you are muted' : ''}`,
};

function secondsUntil(time) {
  return Math.max(0, Math.ceil((time - Date.now()) / 1000));
}

function lengthOf(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

// A live region speaks whenever it is written to, so it is written to only when it says something else.
function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function render() {
  const { registration, call } = phone;
  $('login').hidden = user !== null;
  $('phone').hidden = user === null;
  $('who').hidden = user === null;
  say('address', phone.address.replace(/^sip:/, '') || user || '');
  renderRegistration(registration);
  renderCall(call, registration);
  const prefix = { incoming: `${call.peer} is calling`, talking: `With ${call.peer}` }[call.state] ?? user;
  document.title = prefix ? `${prefix} · Softphone` : 'Softphone';
}

function renderRegistration(registration) {
  $('registration').dataset.state = registration.state;
  const state = STATES[registration.state](registration);
  const more = MORE[registration.state]?.(registration) ?? '';
  say('state', state);
  say('state-more', more);
  // Renewals go on all day: only what comes of one that does not succeed is spoken.
  if (registration.state === 'registered') say('state-spoken', 'Registered');
  else if (registration.state === 'waiting') say('state-spoken', 'Your login is new: registering by itself, shortly');
  else if (registration.state !== 'renewing') say('state-spoken', [state, more].filter(Boolean).join(': '));
  say('state-next', NEXT[registration.state]?.(registration) ?? '');
  const left = Math.max(0, (registration.until ?? 0) - Date.now());
  $('life').hidden = left === 0;
  $('life-bar').value = left && left / (registration.until - registration.since);
  const seconds = `${Math.ceil(left / 1000)} s`;
  const { renewAt } = registration;
  const renewal = renewAt && `${seconds} left · renews by itself at ${clock.format(renewAt)}`;
  say('life-text', renewal || `Still registered, for ${seconds}`);
  say('renew', BUTTON[registration.state] ?? 'Renew now');
  // `aria-disabled`, since a button that is disabled loses the focus.
  $('renew').setAttribute('aria-disabled', !ENABLED.includes(registration.state));
}

function renderCall(call, registration) {
  const busy = call.state !== 'none';
  const before = $('call').dataset.state;
  const focus = document.activeElement;
  const hadFocus = $('talk').contains(focus);
  const isIdle = focus === document.body || (focus === $('target') && $('target').value === '');
  $('call').dataset.state = call.state;
  $('dial').hidden = busy && !(call.state === 'incoming' && $('dial').contains(focus) && !isIdle);
  $('talk').hidden = !busy;
  $('dial-button').setAttribute('aria-disabled', !(registration.until > Date.now()));
  say('peer', call.peer ?? '');
  say('initial', call.peer?.[0] ?? '');
  say('doing', DOING[call.state]?.(call) ?? '');
  say('call-status', busy ? `${call.peer}: ${SPOKEN[call.state]}` : call.text ?? '');
  $('call-status').classList.toggle('spoken', busy || !call.text);
  $('answer').hidden = $('decline').hidden = call.state !== 'incoming';
  $('hang-up').hidden = !['calling', 'ringing', 'talking'].includes(call.state);
  $('mute').hidden = call.state !== 'talking';
  $('mute').setAttribute('aria-pressed', Boolean(call.muted));
  if (before !== call.state) moveFocus(before, call.state, hadFocus, isIdle);
}

const SPOKEN = { calling: 'calling', ringing: 'ringing', incoming: 'is calling you', talking: 'connected' };

// Where the keyboard goes on: what was pressed last has often gone. Nobody is torn away from what they do.
function moveFocus(before, now, hadFocus, isIdle) {
  if (now === 'incoming' && isIdle) $('answer').focus();
  else if (now === 'calling') $('hang-up').focus();
  else if (now === 'talking' && before === 'incoming') $('hang-up').focus();
  else if (now === 'none' && (hadFocus || document.activeElement === document.body)) $('target').focus();
}

function note(line) {
  const item = document.createElement('li');
  const time = document.createElement('time');
  time.textContent = clock.format(Date.now());
  const text = document.createElement('span');
  text.textContent = line;
  item.append(time, text);
  $('notes').append(item);
  while ($('notes').children.length > MAX_NOTES) $('notes').firstChild.remove();
  $('notes').scrollTop = $('notes').scrollHeight;
}

// --- what is done ---

function enter(name) {
  user = name;
  sessionStorage.setItem(USER, name);
  render();
  $('target').focus();
  phone.renew();
}

function leave(text = '') {
  user = atProvider = null;
  sessionStorage.removeItem(USER);
  $('notes').replaceChildren();
  $('target').value = '';
  render();
  say('login-error', text);
  $('user').focus();
}

$('login-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = event.target.querySelector('button');
  if (button.getAttribute('aria-disabled') === 'true') return;
  button.setAttribute('aria-disabled', true);
  say('login-error', '');
  markLogin(false);
  try {
    const name = $('user').value.trim();
    await logIn(name, $('password').value);
    enter(name);
  } catch (error) {
    say('login-error', `${error.message}.`);
    markLogin(error.status === 401);
    $('password').focus();
  } finally {
    $('password').value = '';
    button.removeAttribute('aria-disabled');
  }
});

// The second login, where there is one: by a button, and by coming back from there.
async function offerProvider() {
  const config = await provider();
  $('provider').hidden = config === null;
  if (config === null) return;
  $('provider-button').addEventListener('click', () => goTo(config));
  const login = await comeBack(config);
  if (login === null) return;
  atProvider = login;
  enter(login.user);
  sessionStorage.removeItem(USER); // after a reload it has no tokens, and asks the provider again
}

function markLogin(isWrong) {
  for (const id of ['user', 'password']) $(id).setAttribute('aria-invalid', isWrong);
}

$('dial').addEventListener('submit', (event) => {
  event.preventDefault();
  if ($('dial-button').getAttribute('aria-disabled') !== 'true') phone.dial($('target').value.trim());
});

$('log-out').addEventListener('click', () => {
  if (!atProvider) logOut(user).catch(() => {}); // the session ends by itself then
  phone.stop();
  leave();
});

$('renew').addEventListener('click', () => {
  if ($('renew').getAttribute('aria-disabled') !== 'true') phone.renew();
});
// The focus goes from button to button here: who holds Enter a moment too long presses the first alone.
$('call').addEventListener('keydown', (event) => {
  if (event.repeat && event.key === 'Enter') event.preventDefault();
});
$('answer').addEventListener('click', () => phone.answer());
$('decline').addEventListener('click', () => phone.decline());
$('hang-up').addEventListener('click', () => phone.hangUp());
$('mute').addEventListener('click', () => phone.mute($('mute').getAttribute('aria-pressed') !== 'true'));

phone.addEventListener('change', render);
phone.addEventListener('note', ({ detail }) => note(detail));
phone.addEventListener('audio', ({ detail }) => { $('voice').srcObject = detail; });
phone.addEventListener('loggedout', ({ detail }) => leave(`${detail}.`));
window.addEventListener('pagehide', () => phone.stop());
setInterval(() => { phone.catchUp(); render(); }, 1000);

if (user !== null) enter(user);
else render();
offerProvider().catch((error) => say('login-error', `${error.message}.`));
