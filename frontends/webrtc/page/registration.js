import JsSIP from 'jssip';

/** Makes a user agent of what the backend gave: `{ token, sip_uri, websocket }`. Its `start()` registers it. */
export function userAgent({ token, sip_uri, websocket }) {
  return new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(websocket)],
    uri: sip_uri,
    authorization_jwt: `Bearer ${token}`, // sent as it stands, with the first REGISTER already, and with every INVITE
    register_expires: 600, // the server gives no more than the token has left
    connection_recovery_max_interval: 8, // seconds, after a lost connection
  });
}

/** Registers with a fresh token, over the same connection. Without one, JsSIP does when it is connected again. */
export function renew(ua, { token }) {
  ua.set('authorization_jwt', `Bearer ${token}`);
  if (ua.isConnected()) ua.register();
}
