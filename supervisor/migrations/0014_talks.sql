-- Questions that people asked the team's model in the chat, and its answers. A row is written before
-- the model is asked, with what is reserved for it as its cost.
CREATE TABLE talks (
    id TEXT NOT NULL PRIMARY KEY,
    conversation TEXT NOT NULL,
    principal_uid BIGINT NOT NULL REFERENCES principals (uid),
    model TEXT NOT NULL,
    asked TEXT NOT NULL,
    answer TEXT,
    state TEXT NOT NULL,                 -- reserved, paid, failed, lost
    usage TEXT NOT NULL,                 -- JSON
    cost_micro_usd BIGINT NOT NULL,
    asked_us BIGINT NOT NULL,
    ended_us BIGINT
);
CREATE INDEX talks_by_time ON talks (asked_us);
CREATE INDEX talks_by_conversation ON talks (conversation, asked_us);
CREATE INDEX talks_in_flight ON talks (id) WHERE state = 'reserved';
