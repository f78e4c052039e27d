-- Tasks that wait and go on: under which claim one was parked, and whether the bus must still be
-- told to go on with it, with which answer.
ALTER TABLE tasks ADD COLUMN parked_epoch BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN resume_owed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN resume_answer TEXT;  -- a journal entry, JSON

-- What tasks asked people, and the answers with who gave them.
CREATE TABLE questions (
    task TEXT NOT NULL REFERENCES tasks (id),
    number BIGINT NOT NULL,
    body TEXT NOT NULL,                  -- the question, JSON
    asked_us BIGINT NOT NULL,
    answer TEXT,                         -- what was said, by whom and when, JSON
    PRIMARY KEY (task, number)
);

-- An older binary would take a parked task for one that nobody can go on with.
UPDATE meta SET value = 4 WHERE key = 'schema' AND value < 4;
