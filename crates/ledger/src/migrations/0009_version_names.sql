CREATE TABLE version_name (project TEXT NOT NULL, model TEXT NOT NULL, name TEXT NOT NULL, scheme TEXT NOT NULL, number TEXT NOT NULL, from_seq BIGINT NOT NULL, to_seq BIGINT);
CREATE UNIQUE INDEX version_name_once ON version_name (project, model, name);
CREATE UNIQUE INDEX version_name_by_number ON version_name (project, model, number, scheme);
CREATE INDEX version_name_by_scheme ON version_name (project, model, scheme)
