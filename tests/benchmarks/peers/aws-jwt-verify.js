// aws-jwt-verify, asked by tests/benchmarks/node.py. The first line of input is a token and its key set; each line
// after it is a number of calls, answered by the microseconds of the processor's
// time that one took.
import { createInterface } from "node:readline";
import { JwtVerifier } from "aws-jwt-verify";

const PRIMING_CALLS = 2; // as in warm.py
let verify;
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if (typeof asked === "number") {
    for (let call = 0; call < PRIMING_CALLS; call += 1) verify();
    const started = process.cpuUsage();
    for (let call = 0; call < asked; call += 1) verify();
    const { user, system } = process.cpuUsage(started);
    console.log((user + system) / asked);
  } else {
    const verifier = JwtVerifier.create({ issuer: asked.issuer, audience: null });
    verifier.cacheJwks(asked.jwks);
    verify = () => verifier.verifySync(asked.token);
    console.log(JSON.stringify(verify()));
  }
}
