'use strict';

// Reads lines of JSON, {authenticator, options, request: a SIP message}; writes one for each, with what became of the request.
// Messages, requests, answers, the stack of middlewares and the authenticators are the published packages'; in the place
// of the connection to a drachtio server, which would put answers on the wire, is an agent that remembers them.

const readline = require('readline');
const createApp = require('drachtio-srf/lib/connect');
const SipMessage = require('drachtio-srf/lib/sip-parser/message');
const parseRegistration = require('drachtio-mw-registration-parser');
const bearer = require('../../../../frontends/jambonz/bearer');

const PATIENCE_MS = 10000;

process.env.JWT_SECRET = 'of-jambonz-own-database'; // digest-utils does not load without one; no token of ours

const AUTHENTICATORS = {
  bearer: (options, logger) => bearer({...options, logger}),
  'bearer beside digest': (options) => bearer({...options, digest: AUTHENTICATORS['http-authenticator'](options)}),
  'http-authenticator': ({url, auth}) => require('@jambonz/http-authenticator')({url, auth}),
  'drachtio-http-authenticator': ({url, auth}) => require('drachtio-http-authenticator')({url, auth}),
  // What today's jambonz runs. Its options are what the account has in jambonz's database.
  'digest-utils': ({url, method}) => (req, res, next) => {
    Object.assign(req.locals, {
      account_sid: 'an-account',
      realm: 'sip.example.com',
      registration_hook_url: url,
      registration_hook_method: method || 'POST'
    });
    return require('@jambonz/digest-utils')(req, res, next);
  }
};

function silent() {}

/** Send one SIP message through the middlewares; resolves to what the client and the application saw. */
function ask(text, authenticator, options) {
  return new Promise((resolve) => {
    const seen = {answers: [], grant: null, registered: null, authorization: null, errors: [], logged: []};
    const note = (level) => (members, line) => seen.logged.push([level, line]);
    const logger = {debug: silent, info: note('info'), error: note('error')};
    const authenticate = AUTHENTICATORS[authenticator](options, logger);
    const app = createApp();
    const req = new createApp.Request(new SipMessage(text), {source: 'network', address: '203.0.113.9', port: '51060'});
    const res = new createApp.Response({
      sendResponse: (sent, opts) => {
        seen.answers.push({status: sent.status, headers: (opts && opts.headers) || {}});
        setTimeout(() => resolve(seen), 50); // and who goes on after an answer is seen, too
      }
    });
    res.req = req;
    req.locals = {logger};
    req.srf = {locals: {stats: {histogram: silent}, AlertType: {}, writeAlerts: async() => {}}};
    app.use(parseRegistration);
    app.use((request, response, next) => {
      Promise.resolve(authenticate(request, response, next)).catch((err) => {
        seen.errors.push(err.message); // nobody would wait for it: an unhandled rejection
        resolve(seen);
      });
    });
    app.use((request, response) => {
      const {grant} = request.authorization;
      seen.grant = grant;
      seen.registered = request.registration ? grant.expires || request.registration.expires : null; // as jambonz does
      seen.authorization = request.has('Authorization') ? request.get('Authorization') : null;
      response.send(200);
    });
    setTimeout(() => {
      seen.errors.push('no answer');
      resolve(seen);
    }, PATIENCE_MS).unref();
    app.handle(req, res, (err) => {
      if (err) response500(res, seen, err);
    });
  });
}

/** What drachtio does with an error that reaches the end of the stack. */
function response500(res, seen, err) {
  seen.errors.push(err.message);
  if (!res.finalResponseSent) res.send(500);
}

async function main() {
  for await (const line of readline.createInterface({input: process.stdin})) {
    const {authenticator, options, request} = JSON.parse(line);
    const seen = await ask(request, authenticator, options);
    process.stdout.write(`${JSON.stringify(seen)}\n`);
  }
}

main().catch((err) => {
  process.stderr.write(`${err.stack}\n`);
  process.exit(1);
});
