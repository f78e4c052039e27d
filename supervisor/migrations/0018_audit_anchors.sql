-- How far each host's record of acts was seen to go: a record whose tail was cut off later does not
-- reach it any more. Only ever raised.
CREATE TABLE audit_anchors (
    host TEXT NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL,                 -- number of the last line
    hash TEXT NOT NULL,                  -- digest of that line
    seen_us BIGINT NOT NULL
);
