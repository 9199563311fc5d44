-- The ledger itself: the head, the events as leaves of a Merkle tree, and their bodies.
CREATE TABLE ledger_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    size BIGINT NOT NULL,
    root BLOB NOT NULL,
    -- hashes of the complete subtrees that make the tree, largest first, 32 bytes each
    frontier BLOB NOT NULL,
    -- time of the newest event; times never go back
    time BIGINT NOT NULL
);
CREATE TABLE event (
    seq BIGINT PRIMARY KEY,
    time BIGINT NOT NULL,
    actor TEXT NOT NULL,
    auth TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    project TEXT,
    request TEXT NOT NULL,
    -- the canonical JSON that is hashed; the columns above repeat it for search
    leaf TEXT NOT NULL
);
CREATE INDEX event_by_request ON event (request);
CREATE INDEX event_by_subject ON event (subject, seq);
CREATE INDEX event_by_kind ON event (kind, seq);
CREATE INDEX event_by_time ON event (time);
CREATE TABLE event_body (
    seq BIGINT PRIMARY KEY,
    salt BLOB NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE tree_hash (
    level BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, idx)
);
-- covered by the commitment of its event, never part of a leaf
CREATE TABLE token_hash (
    token TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE
);

-- What follows from the events. Every row: made by event from_seq, not current any more since to_seq.
CREATE TABLE home (
    home TEXT NOT NULL,
    from_seq BIGINT PRIMARY KEY,
    to_seq BIGINT
);
CREATE TABLE project (
    project TEXT PRIMARY KEY,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT
);
CREATE TABLE principal (
    principal TEXT PRIMARY KEY,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT
);
CREATE TABLE role_grant (
    principal TEXT NOT NULL,
    project TEXT,
    role TEXT NOT NULL,
    from_seq BIGINT PRIMARY KEY,
    to_seq BIGINT
);
CREATE UNIQUE INDEX role_grant_current ON role_grant (principal, role, (COALESCE(project, ''))) WHERE to_seq IS NULL;
CREATE TABLE token (
    token TEXT PRIMARY KEY,
    principal TEXT NOT NULL,
    label TEXT NOT NULL,
    expires BIGINT,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT
);
CREATE TABLE dataset_version (
    project TEXT NOT NULL,
    dataset TEXT NOT NULL,
    number BIGINT NOT NULL,
    digest BLOB NOT NULL,
    sha256 BLOB,
    size BIGINT NOT NULL,
    path TEXT NOT NULL,
    source TEXT,
    why TEXT,
    derived_from TEXT NOT NULL,
    run TEXT,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT,
    PRIMARY KEY (project, dataset, number)
);
CREATE INDEX dataset_version_by_digest ON dataset_version (digest);
CREATE TABLE model (
    project TEXT NOT NULL,
    model TEXT NOT NULL,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT,
    PRIMARY KEY (project, model)
);
CREATE TABLE model_policy (
    project TEXT NOT NULL,
    model TEXT NOT NULL,
    policy TEXT NOT NULL,
    from_seq BIGINT PRIMARY KEY,
    to_seq BIGINT
);
CREATE UNIQUE INDEX model_policy_current ON model_policy (project, model) WHERE to_seq IS NULL;
CREATE TABLE model_version (
    project TEXT NOT NULL,
    model TEXT NOT NULL,
    number TEXT NOT NULL,
    major BIGINT NOT NULL,
    minor BIGINT NOT NULL,
    pipeline BIGINT NOT NULL,
    mlflow_number BIGINT NOT NULL,
    step TEXT NOT NULL,
    reason TEXT NOT NULL,
    digest BLOB NOT NULL,
    sha256 BLOB,
    size BIGINT NOT NULL,
    file_name TEXT NOT NULL,
    format TEXT NOT NULL,
    signature TEXT NOT NULL,
    run TEXT,
    trainer TEXT,
    reference TEXT,
    evaluation TEXT,
    target TEXT,
    facts BLOB NOT NULL,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT,
    PRIMARY KEY (project, model, number)
);
CREATE UNIQUE INDEX model_version_by_mlflow_number ON model_version (project, model, mlflow_number);
CREATE INDEX model_version_by_digest ON model_version (digest);
CREATE INDEX model_version_by_run ON model_version (run);
CREATE TABLE version_stage (
    project TEXT NOT NULL,
    model TEXT NOT NULL,
    number TEXT NOT NULL,
    stage TEXT NOT NULL,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT,
    PRIMARY KEY (project, model, number, from_seq)
);
CREATE UNIQUE INDEX version_stage_current ON version_stage (project, model, number) WHERE to_seq IS NULL;
CREATE TABLE model_alias (
    project TEXT NOT NULL,
    model TEXT NOT NULL,
    alias TEXT NOT NULL,
    number TEXT NOT NULL,
    from_seq BIGINT PRIMARY KEY,
    to_seq BIGINT
);
CREATE UNIQUE INDEX model_alias_current ON model_alias (project, model, alias) WHERE to_seq IS NULL;
CREATE TABLE evidence (
    evidence TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    kind TEXT NOT NULL,
    model TEXT NOT NULL,
    number TEXT NOT NULL,
    subject BLOB NOT NULL,
    gate TEXT,
    spec_digest BLOB NOT NULL,
    passed INTEGER NOT NULL,
    summary TEXT NOT NULL,
    report BLOB NOT NULL,
    data TEXT,
    leaky INTEGER NOT NULL,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT
);
CREATE INDEX evidence_by_version ON evidence (project, model, number);
CREATE TABLE approval (
    approval TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    model TEXT NOT NULL,
    number TEXT NOT NULL,
    subject BLOB NOT NULL,
    stage TEXT NOT NULL,
    evidence TEXT NOT NULL,
    reason TEXT NOT NULL,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT
);
CREATE INDEX approval_by_version ON approval (project, model, number);
CREATE TABLE promotion (
    project TEXT NOT NULL,
    model TEXT NOT NULL,
    number TEXT NOT NULL,
    subject BLOB NOT NULL,
    from_stage TEXT NOT NULL,
    to_stage TEXT NOT NULL,
    evidence TEXT NOT NULL,
    approvals TEXT NOT NULL,
    reason TEXT NOT NULL,
    from_seq BIGINT PRIMARY KEY,
    to_seq BIGINT
);
CREATE INDEX promotion_by_version ON promotion (project, model, number);
CREATE TABLE endpoint (
    endpoint TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    ordinal BIGINT NOT NULL UNIQUE,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT
);
-- a revision answers from from_seq until the next one does
CREATE TABLE revision (
    endpoint TEXT NOT NULL,
    number BIGINT NOT NULL,
    project TEXT NOT NULL,
    digest BLOB NOT NULL,
    revision TEXT NOT NULL,
    reason TEXT NOT NULL,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT,
    PRIMARY KEY (endpoint, number)
);
CREATE UNIQUE INDEX revision_current ON revision (endpoint) WHERE to_seq IS NULL;
CREATE INDEX revision_by_digest ON revision (digest);
CREATE TABLE revision_target (
    endpoint TEXT NOT NULL,
    number BIGINT NOT NULL,
    place BIGINT NOT NULL,
    project TEXT NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    digest BLOB NOT NULL,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT,
    PRIMARY KEY (endpoint, number, place)
);
CREATE INDEX revision_target_by_version ON revision_target (project, model, version);
CREATE TABLE log_part (
    segment BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    first_row BIGINT NOT NULL,
    last_row BIGINT NOT NULL,
    project TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    day BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    first_time BIGINT NOT NULL,
    last_time BIGINT NOT NULL,
    digest BLOB NOT NULL,
    size BIGINT NOT NULL,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT,
    PRIMARY KEY (segment, ordinal, first_row)
);
CREATE INDEX log_part_by_endpoint ON log_part (endpoint, from_seq);
CREATE TABLE run_seal (
    first_run BIGINT PRIMARY KEY,
    last_run BIGINT NOT NULL,
    run_count BIGINT NOT NULL,
    digest BLOB NOT NULL,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT
);
