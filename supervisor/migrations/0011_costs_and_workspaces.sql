-- What each model call cost, as it is told while a task runs: the one source of every sum of money.
CREATE TABLE spends (
    task TEXT NOT NULL REFERENCES tasks (id),
    position BIGINT NOT NULL,
    step TEXT NOT NULL,                  -- of the journal; empty where it is not known
    model TEXT NOT NULL,                 -- empty where it is not known
    state TEXT NOT NULL,                 -- reserved, paid, failed, lost
    usage TEXT NOT NULL,                 -- JSON
    cost_micro_usd BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    PRIMARY KEY (task, position)
);
CREATE INDEX spends_by_time ON spends (at_us, cost_micro_usd);
CREATE INDEX spends_in_flight ON spends (task, step) WHERE state = 'reserved';

-- Tasks of before: one sum each, at their end.
INSERT INTO spends (task, position, step, model, state, usage, cost_micro_usd, at_us)
SELECT id, 1, '', '', 'paid', usage, cost_micro_usd, COALESCE(ended_us, accepted_us)
FROM tasks WHERE cost_micro_usd > 0 AND usage <> '{}';
DROP INDEX tasks_that_cost;

-- Folders that the team works in, under a name. A folder is registered by its first task.
CREATE TABLE workspaces (
    name TEXT NOT NULL PRIMARY KEY,
    host TEXT NOT NULL,                  -- empty: the team's first host
    path TEXT NOT NULL,
    added_us BIGINT NOT NULL,
    last_task BIGINT,                    -- number of the newest task there
    last_us BIGINT,
    UNIQUE (host, path)
);
