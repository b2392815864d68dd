"""Moving in from OpenSIPS: the module's tables, read from wherever they are, judged, and written to DynamoDB.

`sources` give rows, one at a time: of a database, a dump, CSV or dbtext files; `layout` is what their tables and
columns are called. `translation` makes of a source's row one that our tables can hold, or says why there can be none.
`findings` are the rules of `auth-jwt lint`, `examination` holds rows against them, and `ledger` keeps on disk what is
between rows. `target` is our tables, read and written in batches, with patience; `comparison` is what to write over a
row that is there. `importing` is the spine of `auth-jwt import`; `progress` and `reports` are what people and machines
see of both.
"""
