-- Tasks that wait and go on: under which claim one was parked, and whether the bus must still be
-- told to go on with it, with which answer.
ALTER TABLE tasks ADD COLUMN parked_epoch BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN resume_owed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN resume_answer TEXT;  -- a journal entry, JSON

-- An older binary would take a parked task for one that nobody can go on with.
UPDATE meta SET value = 4 WHERE key = 'schema' AND value < 4;
