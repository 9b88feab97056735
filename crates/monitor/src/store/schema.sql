-- What several sidecars share, in a schema of their own. Each step runs once, in order.

-- Who is there.
CREATE TABLE replica (
    id      uuid PRIMARY KEY,
    seen_at timestamptz NOT NULL
);

-- A part of a database's endpoints, and who tests them: a lease on a row.
CREATE TABLE shard (
    database uuid     NOT NULL,
    shard    smallint NOT NULL,
    owner    uuid,
    until    timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (database, shard)
);

-- How often Odoo has said that something changed, to whichever sidecar it asked.
CREATE TABLE hint (
    database uuid   PRIMARY KEY,
    counter  bigint NOT NULL
);

-- What is thought of each endpoint, and when it was tested last.
CREATE TABLE endpoint (
    database     uuid        NOT NULL,
    record       uuid        NOT NULL,
    shard        smallint    NOT NULL,
    revision     bigint      NOT NULL,
    judge        jsonb       NOT NULL,
    newest_probe uuid        NOT NULL,
    tested_at    timestamptz NOT NULL,
    PRIMARY KEY (database, record)
);

-- Outcomes of tests that another sidecar made than the one whose endpoint it is.
CREATE TABLE handover (
    probe    uuid     PRIMARY KEY,
    database uuid     NOT NULL,
    shard    smallint NOT NULL,
    by_hand  boolean  NOT NULL,
    outcome  jsonb    NOT NULL
);

-- The outbox: the newest report of each endpoint that has changed, and all events.
CREATE TABLE report (
    database uuid     NOT NULL,
    record   uuid     NOT NULL,
    shard    smallint NOT NULL,
    probe    uuid     NOT NULL,
    report   jsonb    NOT NULL,
    PRIMARY KEY (database, record)
);
CREATE TABLE event (
    id       uuid     PRIMARY KEY,
    database uuid     NOT NULL,
    record   uuid     NOT NULL,
    shard    smallint NOT NULL,
    event    jsonb    NOT NULL
);
CREATE INDEX event_shard ON event (database, shard);
CREATE INDEX report_shard ON report (database, shard);

-- History: each result for some days, hours for a year.
CREATE TABLE sample (
    database   uuid        NOT NULL,
    record     uuid        NOT NULL,
    at         timestamptz NOT NULL,
    latency_ms real,
    observed_s real        NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX sample_record ON sample (record, at);
CREATE TABLE rollup (
    database       uuid        NOT NULL,
    record         uuid        NOT NULL,
    hour           timestamptz NOT NULL,
    probes         integer     NOT NULL,
    failures       integer     NOT NULL,
    observed_s     double precision NOT NULL,
    up_s           double precision NOT NULL,
    latency_sum_ms double precision NOT NULL,
    latency_max_ms real        NOT NULL,
    PRIMARY KEY (database, record, hour)
);
