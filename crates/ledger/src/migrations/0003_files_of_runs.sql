DROP TABLE run_file;
CREATE TABLE run_file (project TEXT NOT NULL, run TEXT NOT NULL, direction TEXT NOT NULL, path TEXT NOT NULL, digest TEXT NOT NULL, workspace TEXT NOT NULL, started BIGINT NOT NULL, ended BIGINT NOT NULL, role TEXT NOT NULL, certainty TEXT NOT NULL);
CREATE INDEX run_file_by_run ON run_file (project, run, direction, path);
CREATE INDEX run_file_by_path ON run_file (project, direction, path, ended);
CREATE INDEX run_file_by_digest ON run_file (project, digest, direction, ended);
DELETE FROM edge WHERE kind IN ('read', 'wrote');
DELETE FROM edge WHERE kind = 'ran_code' AND source IN (SELECT id FROM node WHERE kind = 'content');
