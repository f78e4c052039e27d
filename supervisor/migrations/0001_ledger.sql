-- The ledger: the history of the team, for people. Portable SQL: explicit types, no vendor words.
-- Times are microseconds since 1970 (UTC); money is in millionths of a US dollar.

CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
-- schema: raised by a migration that an older binary must not read past
-- epoch: raised by every supervisor that starts; an older one may write no more
-- short_id: the last number given to a task; never given again
INSERT INTO meta (key, value) VALUES ('schema', 1), ('epoch', 0), ('short_id', 0);

CREATE TABLE principals (
    uid BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    first_seen_us BIGINT NOT NULL
);

CREATE TABLE tasks (
    id TEXT NOT NULL PRIMARY KEY,
    short_id BIGINT NOT NULL UNIQUE,
    request_id TEXT NOT NULL UNIQUE,
    asked TEXT NOT NULL,                 -- digest of what was asked under the request id
    principal_uid BIGINT NOT NULL REFERENCES principals (uid),
    agent TEXT NOT NULL,
    task TEXT NOT NULL,                  -- the task as accepted, JSON; never changed
    state TEXT NOT NULL,
    reason TEXT,                         -- phase of running, what waiting waits for, why it failed
    accepted_us BIGINT NOT NULL,
    deadline_us BIGINT,
    ended_us BIGINT,
    result TEXT NOT NULL DEFAULT '',
    question TEXT,
    usage TEXT NOT NULL DEFAULT '{}',    -- JSON
    cost_micro_usd BIGINT NOT NULL DEFAULT 0,
    artifacts TEXT NOT NULL DEFAULT '[]', -- JSON
    patch_state TEXT NOT NULL DEFAULT 'kept', -- kept, applying, applied, discarded
    patch_us BIGINT,
    stop_owed BIGINT NOT NULL DEFAULT 0  -- 1 while the bus must still be told to stop it
);
CREATE INDEX tasks_by_state ON tasks (state);
CREATE INDEX tasks_by_end ON tasks (ended_us);

-- Everything that happened to a task, in order: what a follower is told, and, by its message id,
-- the proof that the same message is folded once.
CREATE TABLE events (
    task TEXT NOT NULL REFERENCES tasks (id),
    position BIGINT NOT NULL,
    message TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (task, position),
    UNIQUE (task, message)
);

CREATE TABLE attempts (
    task TEXT NOT NULL REFERENCES tasks (id),
    epoch BIGINT NOT NULL,
    number BIGINT NOT NULL,
    holder TEXT NOT NULL,
    started_us BIGINT NOT NULL,
    replayed BIGINT NOT NULL,
    PRIMARY KEY (task, epoch)
);

CREATE TABLE phases (
    task TEXT NOT NULL REFERENCES tasks (id),
    started_us BIGINT NOT NULL,
    phase TEXT NOT NULL,
    ended_us BIGINT,
    PRIMARY KEY (task, started_us, phase)
);

CREATE TABLE criteria (
    task TEXT NOT NULL REFERENCES tasks (id),
    position BIGINT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,                  -- JSON
    PRIMARY KEY (task, position)
);

CREATE TABLE evidence (
    task TEXT NOT NULL REFERENCES tasks (id),
    criterion TEXT NOT NULL,
    measured_us BIGINT NOT NULL,
    verdict TEXT NOT NULL,
    source TEXT NOT NULL,
    observed TEXT NOT NULL,
    tree TEXT,
    PRIMARY KEY (task, criterion, measured_us)
);

CREATE TABLE calls (
    task TEXT NOT NULL REFERENCES tasks (id),
    position BIGINT NOT NULL,
    phase TEXT NOT NULL,
    tool TEXT NOT NULL,
    summary TEXT NOT NULL,
    took_ms BIGINT NOT NULL,
    is_error BOOLEAN NOT NULL,
    PRIMARY KEY (task, position)
);

CREATE TABLE notes (
    task TEXT NOT NULL REFERENCES tasks (id),
    position BIGINT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (task, position)
);

CREATE TABLE recalled (
    task TEXT NOT NULL REFERENCES tasks (id),
    position BIGINT NOT NULL,
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (task, position)
);

CREATE TABLE learned (
    task TEXT NOT NULL REFERENCES tasks (id),
    position BIGINT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (task, position)
);
