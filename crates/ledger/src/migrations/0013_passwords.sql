CREATE TABLE password (principal TEXT NOT NULL, hash_check TEXT NOT NULL, from_seq BIGINT NOT NULL, to_seq BIGINT);
CREATE UNIQUE INDEX password_holds ON password (principal) WHERE to_seq IS NULL;
CREATE TABLE password_hash (principal TEXT PRIMARY KEY, hash TEXT NOT NULL)
