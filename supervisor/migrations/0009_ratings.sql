-- How good people found what a task brought. The newest word of a person counts.
CREATE TABLE ratings (
    task TEXT NOT NULL REFERENCES tasks (id),
    principal_uid BIGINT NOT NULL REFERENCES principals (uid),
    number BIGINT NOT NULL,              -- 1 to 10
    remark TEXT,
    rated_us BIGINT NOT NULL,
    PRIMARY KEY (task, principal_uid)
);
