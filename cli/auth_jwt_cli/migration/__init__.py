"""The migration from OpenSIPS: reads the tables of its auth_jwt module from any source, checks and writes them.

- `sources` give the rows of a database, a dump, CSV or dbtext files, one at a time. `layout` names their tables and
  columns.
- `translation` turns a source's row into a row of our tables, or says why it cannot.
- `findings` are the rules of `auth-jwt lint`. `examination` checks rows against them. `ledger` keeps notes on disk for
  the rules that compare rows with each other.
- `target` reads and writes our tables in batches, with retries. `comparison` decides what to write over an existing
  row.
- `importing` is the spine of `auth-jwt import`. `linting` is that of `auth-jwt lint`.
- `progress` and `reports` show both commands' work to people and machines.
"""
