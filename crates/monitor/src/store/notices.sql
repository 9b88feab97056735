-- What others than Odoo are to be told, and have not taken yet.
CREATE TABLE notice (
    id       uuid        PRIMARY KEY,
    database uuid        NOT NULL,
    record   uuid        NOT NULL,
    shard    smallint    NOT NULL,
    since    timestamptz NOT NULL,
    body     text        NOT NULL
);
CREATE INDEX notice_shard ON notice (database, shard);
