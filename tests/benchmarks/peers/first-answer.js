// aws-jwt-verify in a fresh process, which fetches the key set: {issuer, keys_url, audience, token} as the one argument.
// Prints, to standard error, what tests/benchmarks/cold.py reads of a first answer.
import { readFileSync } from "node:fs";

const asked = JSON.parse(process.argv[2]);
const started = performance.now();
const { JwtVerifier } = await import("aws-jwt-verify");
const verifier = JwtVerifier.create({ issuer: asked.issuer, jwksUri: asked.keys_url, audience: asked.audience });
const claims = await verifier.verify(asked.token);
const milliseconds = performance.now() - started;
const [, peak] = readFileSync("/proc/self/status", "ascii").match(/^VmHWM:\s*(\d+) kB$/m);
const told = { status: claims.sub ? 200 : 401, milliseconds, peak_mebibytes: Number(peak) / 1024, boto3: false };
console.error(JSON.stringify(told));
process.exit(0);
