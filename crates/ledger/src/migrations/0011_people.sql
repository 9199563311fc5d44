CREATE TABLE held_role (principal TEXT NOT NULL, project TEXT NOT NULL, role TEXT NOT NULL, endpoint TEXT NOT NULL, edition BIGINT NOT NULL, from_seq BIGINT NOT NULL, to_seq BIGINT);
CREATE UNIQUE INDEX held_role_holds ON held_role (principal, project, role, endpoint) WHERE to_seq IS NULL;
CREATE TABLE denial (principal TEXT NOT NULL, project TEXT NOT NULL, what TEXT NOT NULL, from_seq BIGINT NOT NULL, to_seq BIGINT);
CREATE UNIQUE INDEX denial_holds ON denial (principal, project, what) WHERE to_seq IS NULL;
CREATE TABLE token_scope (token TEXT NOT NULL, scope TEXT NOT NULL, from_seq BIGINT NOT NULL, to_seq BIGINT);
CREATE UNIQUE INDEX token_scope_once ON token_scope (token);
CREATE TABLE token_end (token TEXT NOT NULL, expires BIGINT NOT NULL, from_seq BIGINT NOT NULL, to_seq BIGINT);
CREATE UNIQUE INDEX token_end_holds ON token_end (token) WHERE to_seq IS NULL;
CREATE TABLE project_closed (project TEXT NOT NULL, reason TEXT NOT NULL, from_seq BIGINT NOT NULL, to_seq BIGINT);
CREATE UNIQUE INDEX project_closed_holds ON project_closed (project) WHERE to_seq IS NULL
