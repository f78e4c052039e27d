-- A ledger may lie in a database on a server, where other homes reach it and where it can go back to an
-- older state while it is used.
-- home: a digest of the id of the home it belongs to; 0 = nobody's yet, and always so in a file
-- writes: how many transactions have written; one that finds fewer than it knows of writes nothing
INSERT INTO meta (key, value) VALUES ('home', 0), ('writes', 0);
