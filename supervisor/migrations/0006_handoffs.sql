-- Tasks that agents handed on: who asked to whom, and what came of it.
CREATE TABLE handoffs (
    task TEXT NOT NULL REFERENCES tasks (id),
    number BIGINT NOT NULL,
    from_role TEXT NOT NULL,
    body TEXT NOT NULL,                  -- what was asked for, JSON
    asked_us BIGINT NOT NULL,
    refused TEXT,                        -- why it was not done
    done BIGINT NOT NULL DEFAULT 0,      -- 1 once it was decided
    PRIMARY KEY (task, number)
);

-- The role a task that goes on comes from, where it is to move on the bus.
ALTER TABLE tasks ADD COLUMN handed_from TEXT;
