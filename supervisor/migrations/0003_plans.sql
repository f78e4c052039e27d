-- Plans: a request as a graph of tasks. The plan's own text is in its task; here is how each part
-- stands. A child's task names its plan.

ALTER TABLE tasks ADD COLUMN parent TEXT REFERENCES tasks (id);
CREATE INDEX tasks_by_parent ON tasks (parent);

CREATE TABLE parts (
    plan TEXT NOT NULL REFERENCES tasks (id),
    position BIGINT NOT NULL,            -- in the order of the plan, from 0
    state TEXT NOT NULL,                 -- waiting, ready, running, done, failed, left
    reason TEXT,                         -- why it failed or was left out
    tries BIGINT NOT NULL,               -- how many tasks were made for it
    task TEXT REFERENCES tasks (id),     -- its newest task; of an earlier plan where that did it
    routed TEXT,                         -- JSON: who does it and how, where that is known before
    PRIMARY KEY (plan, position)
);
CREATE INDEX parts_by_state ON parts (state);
