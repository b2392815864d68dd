// An OpenID provider on loopback, for tests and demos: npm's `oidc-provider` with its own pages for login and consent.
//
// `node provider.mjs IDENTITY.pem PAGE` listens with that key and certificate, and without TLS on a port of its own for
// the browser of a demo. It prints a line of JSON with both addresses; the first one is the issuer. PAGE is null, or the
// JSON of a client in a browser: `{"origins", "seconds", "client_id"}`.
// Keys are made here and never leave. Lines on standard input say what becomes of them, and each is answered by a line:
//
//   publish NAME    three more keys, RS256, ES256 and EdDSA, in the key set; they sign nothing yet
//   sign NAME       these keys sign from now on
//   withdraw NAME   these keys are in the key set no more
//
// Each change makes the provider anew with another key set, as a restart of its processes does: oidc-provider's
// documentation has rotation done like that. Sessions, codes and half-done logins are in a store of their own, as with
// a database, so they outlive it.

import { readFileSync } from 'node:fs';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import { createInterface } from 'node:readline';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

console.info = console.error; // standard output has answers alone

const ALGORITHMS = ['RS256', 'ES256', 'EdDSA'];
const CALLBACK = 'https://phone.example.com/callback';
const SCOPE = 'sip:register';
// The resource of a login (RFC 8707), and the audience of its access tokens.
const AUDIENCES = { 'https://sip.example.com/': 'sip', 'https://portal.example.com/': 'portal' };

const client = (id, alg) => ({
  client_id: id,
  redirect_uris: [CALLBACK],
  grant_types: ['authorization_code'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none', // a public client: it has PKCE in place of a secret
  id_token_signed_response_alg: alg,
});

// It gets another token without its user, by a refresh token that serves once.
const pageClient = ({ origins, client_id }) => ({
  ...client(client_id, 'ES256'),
  redirect_uris: origins.map((origin) => `${origin}/`),
  grant_types: ['authorization_code', 'refresh_token'],
});

async function keysOf(name) {
  return Promise.all(ALGORITHMS.map(async (alg) => {
    const { privateKey } = await generateKeyPair(alg, { extractable: true });
    return { ...await exportJWK(privateKey), kid: `${name}-${alg}`, alg, use: 'sig' };
  }));
}

const store = new Map();

// What oidc-provider calls an adapter: where it keeps one kind of thing. The tests end before anything expires.
class Store {
  constructor(kind) { this.of = (id) => `${kind} ${id}`; }

  async upsert(id, payload) {
    store.set(this.of(id), payload);
    if (payload.uid) store.set(this.of(`uid ${payload.uid}`), payload);
  }

  async find(id) { return store.get(this.of(id)); }

  async findByUid(uid) { return this.find(`uid ${uid}`); }

  async consume(id) { store.get(this.of(id)).consumed = Math.floor(Date.now() / 1000); }

  async destroy(id) { store.delete(this.of(id)); }

  async revokeByGrantId(grant) {
    for (const [key, { grantId }] of store) if (grantId === grant) store.delete(key);
  }
}

function providerOf(issuer, generations, cookieKeys, page) {
  return new Provider(issuer, {
    adapter: Store,
    clients: [
      ...ALGORITHMS.map((alg) => client(`phone-${alg}`, alg)),
      client('portal', 'RS256'),
      ...(page ? [pageClient(page)] : []),
    ],
    jwks: { keys: generations.flatMap(({ keys }) => keys) }, // of several that fit, the first one signs
    cookies: { keys: cookieKeys },
    clientBasedCORS: (_, origin) => page?.origins.includes(origin) ?? false,
    enabledJWA: { idTokenSigningAlgValues: ALGORITHMS },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    ttl: {
      AccessToken: (_, token) => token.resourceServer?.accessTokenTTL ?? 3600,
      AuthorizationCode: 60,
      Grant: 28800,
      IdToken: 3600,
      Interaction: 600,
      RefreshToken: 28800,
      Session: 28800,
    },
    features: {
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource, { clientId, idTokenSignedResponseAlg: alg }) => ({
          scope: SCOPE,
          audience: AUDIENCES[resource],
          accessTokenTTL: clientId === page?.client_id ? page.seconds : 3600,
          accessTokenFormat: 'jwt', // RFC 9068
          jwt: { sign: { alg } },
        }),
      },
    },
  }).callback();
}

const identity = readFileSync(process.argv[2]);
const page = JSON.parse(process.argv[3] ?? 'null');
const servers = [createServer({ key: identity, cert: identity }), createPlainServer()];
for (const server of servers) await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const [issuer, url] = servers.map((server, place) => `${['https', 'http'][place]}://127.0.0.1:${server.address().port}`);

const cookieKeys = [crypto.randomUUID()];
let generations = [{ name: 'old', keys: await keysOf('old') }];
let answer = providerOf(issuer, generations, cookieKeys, page);
for (const server of servers) server.on('request', (request, response) => answer(request, response));
const say = (text) => process.stdout.write(`${JSON.stringify(text)}\n`);
say({ issuer, url });

const orders = {
  publish: async (name) => [...generations, { name, keys: await keysOf(name) }],
  sign: async (name) => [...generations].sort((a, b) => (b.name === name) - (a.name === name)),
  withdraw: async (name) => generations.filter((generation) => generation.name !== name),
};
for await (const line of createInterface({ input: process.stdin })) {
  const [order, name] = line.split(' ');
  generations = await orders[order](name);
  answer = providerOf(issuer, generations, cookieKeys, page);
  say({ keys: generations.map((generation) => generation.name) });
}
process.exit(); // whoever started it has ended
