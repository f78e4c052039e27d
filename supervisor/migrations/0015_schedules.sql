-- What is known of each schedule; what it says is in its file. Everything due until `settled_us` was
-- started or left out.
CREATE TABLE schedules (
    name TEXT NOT NULL PRIMARY KEY,
    calendar TEXT NOT NULL,              -- with another calendar, counting begins anew
    settled_us BIGINT NOT NULL,
    held_us BIGINT,                      -- the run that waits for the one before it to end
    paused_us BIGINT,                    -- since when a person paused it
    paused_by TEXT
);

-- Every run, and what was left out. A run is owed from the moment it was decided until its task is
-- kept, under a request id that is made of its name and its time.
CREATE TABLE schedule_runs (
    schedule TEXT NOT NULL,
    due_us BIGINT NOT NULL,              -- when it was due; of one that a person asked for, when they did
    outcome TEXT NOT NULL,               -- owed, started, refused, missed, overlap
    number BIGINT NOT NULL,              -- how many runs this line stands for: more than one only of runs left out
    asked_by TEXT,                       -- the person who asked for it
    reason TEXT,                         -- why it was refused
    task TEXT REFERENCES tasks (id),
    noted_us BIGINT NOT NULL,
    PRIMARY KEY (schedule, due_us)
);
CREATE INDEX schedule_runs_owed ON schedule_runs (schedule) WHERE outcome = 'owed';
CREATE INDEX schedule_runs_by_task ON schedule_runs (task) WHERE task IS NOT NULL;
