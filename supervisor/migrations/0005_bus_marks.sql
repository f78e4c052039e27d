-- Up to which entry each role's out stream was folded: a Redis whose last entry comes before it was
-- put back to an older state.
CREATE TABLE bus_marks (
    role TEXT NOT NULL PRIMARY KEY,
    ms BIGINT NOT NULL,                  -- the entry's id: its millisecond,
    seq BIGINT NOT NULL,                 -- and its number within that
    folded_us BIGINT NOT NULL
);
-- bus_found: when this ledger took a Redis for its own; 0 = never
INSERT INTO meta (key, value) VALUES ('bus_found', 0);
