-- Which host a task is worked on, beside the task itself, so that the tasks of a host that is away
-- are found without reading every task.
ALTER TABLE tasks ADD COLUMN host TEXT;
UPDATE tasks SET host = json_extract(task, '$.host');
CREATE INDEX tasks_by_host ON tasks (host, state);

-- What is known of other hosts: when one was seen last, and since when it counts as lost.
CREATE TABLE hosts (
    name TEXT NOT NULL PRIMARY KEY,
    seen_us BIGINT,                      -- NULL where it was never seen
    lost_us BIGINT,                      -- NULL while it is not lost
    roles TEXT                           -- the agents it said it runs, JSON; NULL where it never did
);
INSERT INTO hosts (name) SELECT DISTINCT host FROM tasks WHERE host IS NOT NULL;
