-- Tasks that were begun and are tried again later: why, and for which time of how many.
ALTER TABLE tasks ADD COLUMN wait TEXT;  -- JSON

-- What is looked at every second, or for every request, reads as much of a long queue or a long history
-- as it needs and no more. A task is open while `ended_us` is NULL: the outbox walks over the open ones
-- by number, and `status` counts them.
DROP INDEX tasks_by_state;
DROP INDEX tasks_by_end;
CREATE INDEX tasks_open ON tasks (short_id, state, reason, agent, ended_us, id) WHERE ended_us IS NULL;
CREATE INDEX tasks_counted ON tasks (state, reason, short_id, agent, ended_us) WHERE ended_us IS NULL;
CREATE INDEX tasks_that_wait ON tasks (reason) WHERE state = 'waiting';
CREATE INDEX tasks_by_due ON tasks (due_us, short_id) WHERE due_us IS NOT NULL;
CREATE INDEX tasks_by_deadline ON tasks (deadline_us) WHERE ended_us IS NULL AND deadline_us IS NOT NULL;
CREATE INDEX tasks_to_stop ON tasks (short_id) WHERE stop_owed = 1;
CREATE INDEX tasks_to_resume ON tasks (short_id) WHERE resume_owed = 1;
CREATE INDEX tasks_that_cost ON tasks (ended_us, cost_micro_usd) WHERE cost_micro_usd > 0;
