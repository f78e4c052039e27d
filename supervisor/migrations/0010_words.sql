-- What people said to tasks that were open: words for whoever works on them, and new limits on what
-- they may cost. The bus is told each once.
CREATE TABLE words (
    task TEXT NOT NULL REFERENCES tasks (id),
    number BIGINT NOT NULL,
    said TEXT NOT NULL,                  -- words or a budget, JSON
    principal_uid BIGINT NOT NULL REFERENCES principals (uid),
    said_us BIGINT NOT NULL,
    told BIGINT NOT NULL DEFAULT 0,      -- 0 the bus is owed it, 1 it has it, 2 it came too late
    heard_us BIGINT,                     -- when whoever works on it took it in
    PRIMARY KEY (task, number)
);
CREATE INDEX words_owed ON words (task, number) WHERE told = 0;

-- The newest limit; NULL where the one it was accepted with holds.
ALTER TABLE tasks ADD COLUMN budget_micro_usd BIGINT;
