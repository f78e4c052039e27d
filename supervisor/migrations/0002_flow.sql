-- When work may begin: due times, and the brakes that a person pulled.

ALTER TABLE tasks ADD COLUMN due_us BIGINT; -- when a task that waits for a time is to go on

CREATE TABLE brakes (
    kind TEXT NOT NULL,                  -- team: frozen; role: paused
    name TEXT NOT NULL,                  -- the role; empty for the team
    since_us BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    PRIMARY KEY (kind, name)
);

-- An older binary would begin what waits, and work in a team that is frozen.
UPDATE meta SET value = 2 WHERE key = 'schema' AND value < 2;
