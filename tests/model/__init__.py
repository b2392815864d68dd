"""The decision a second time, written plainly from CONTRACT.md: what the tests hold the service to.

Nothing here imports the package or the tests' factories, and a house rule holds that: what the two have in common they
have read in the same contract, not in each other. `decide` in `tests.model.decision` is the door.

    json_text   strict JSON, character by character
    tokens      gate, header, payload and tag
    rendering   the decoded token
    keys        what a row's secret holds, and what that verifies
    curves      points by which anybody can sign
    decision    windows, claims, profile, revocation, who asks
    issuers     tokens of issuers

It is slow and has no memory: rows are judged as they are at one second. What a process may remember, and for how long,
is for the test that asks to say.
"""
