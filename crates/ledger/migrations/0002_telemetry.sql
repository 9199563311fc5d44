-- Append-only rows that do not pass through the Merkle tree one by one; runs are sealed into it in batches.
CREATE TABLE run (
    ordinal BIGINT PRIMARY KEY,
    run TEXT NOT NULL UNIQUE,
    project TEXT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    started BIGINT NOT NULL,
    ended BIGINT NOT NULL,
    succeeded INTEGER NOT NULL,
    environment BLOB NOT NULL,
    input_key BLOB NOT NULL,
    digest BLOB NOT NULL,
    record TEXT NOT NULL,
    -- how many metrics of the record are not finite and therefore only in run_metric
    special_metrics BIGINT NOT NULL
);
CREATE INDEX run_by_project ON run (project, ordinal);
CREATE INDEX run_by_input_key ON run (input_key);
CREATE TABLE run_file (
    run BIGINT NOT NULL REFERENCES run (ordinal),
    place BIGINT NOT NULL,
    direction TEXT NOT NULL,
    path TEXT NOT NULL,
    digest BLOB NOT NULL,
    size BIGINT NOT NULL,
    role TEXT,
    certainty TEXT NOT NULL,
    PRIMARY KEY (run, place)
);
CREATE INDEX run_file_by_digest ON run_file (digest, direction, run);
CREATE TABLE run_param (
    run BIGINT NOT NULL REFERENCES run (ordinal),
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, name)
);
CREATE TABLE run_metric (
    run BIGINT NOT NULL REFERENCES run (ordinal),
    name TEXT NOT NULL,
    value DOUBLE PRECISION,
    -- nan, inf or -inf where there is no value
    special TEXT,
    PRIMARY KEY (run, name)
);
CREATE TABLE node (
    id BIGINT PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (kind, name)
);
CREATE TABLE edge (
    project TEXT NOT NULL,
    src BIGINT NOT NULL REFERENCES node (id),
    kind TEXT NOT NULL,
    dst BIGINT NOT NULL REFERENCES node (id),
    -- empty where nobody declared one
    role TEXT NOT NULL,
    certainty TEXT NOT NULL,
    PRIMARY KEY (src, project, kind, dst, role, certainty)
);
CREATE INDEX edge_by_destination ON edge (dst, project, kind, src, role, certainty);
CREATE TABLE feedback (
    id BIGINT PRIMARY KEY,
    project TEXT NOT NULL,
    prediction TEXT NOT NULL,
    label TEXT,
    reward DOUBLE PRECISION,
    comment TEXT,
    time BIGINT NOT NULL,
    actor TEXT NOT NULL,
    auth TEXT NOT NULL
);
CREATE INDEX feedback_by_prediction ON feedback (prediction, id);
CREATE TABLE content_grant (
    project TEXT NOT NULL,
    digest BLOB NOT NULL,
    size BIGINT NOT NULL,
    kind TEXT NOT NULL,
    time BIGINT NOT NULL,
    PRIMARY KEY (project, digest)
);
