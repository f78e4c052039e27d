-- What a run needs that is begun more than once until it comes to its end (a backup that was cut off or
-- found its place away), and what a run that a person asked for is made of again, should the supervisor
-- die before its task is kept.
ALTER TABLE schedule_runs ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE schedule_runs ADD COLUMN again_us BIGINT;      -- an owed run that is not begun before then
ALTER TABLE schedule_runs ADD COLUMN request_id TEXT;      -- of a run that a person asked for
ALTER TABLE schedule_runs ADD COLUMN asked_uid BIGINT;     -- who that was
