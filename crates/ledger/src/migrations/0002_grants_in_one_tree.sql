CREATE TABLE content_grant_2 (project TEXT NOT NULL, digest TEXT NOT NULL, size BIGINT NOT NULL, PRIMARY KEY (project, digest)) WITHOUT ROWID;
INSERT INTO content_grant_2 (project, digest, size) SELECT project, digest, size FROM content_grant;
DROP TABLE content_grant;
ALTER TABLE content_grant_2 RENAME TO content_grant;
