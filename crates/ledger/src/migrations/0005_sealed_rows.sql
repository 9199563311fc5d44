CREATE TABLE grant_entry (place BIGINT PRIMARY KEY, project TEXT NOT NULL, act TEXT NOT NULL, contents BLOB NOT NULL);
CREATE TABLE row_seal (kind TEXT NOT NULL, first_row BIGINT NOT NULL, last_row BIGINT NOT NULL, count BIGINT NOT NULL, digest TEXT NOT NULL, from_seq BIGINT NOT NULL, to_seq BIGINT);
CREATE TABLE prediction_note (segment TEXT NOT NULL, records BIGINT NOT NULL, bytes BIGINT NOT NULL, digest TEXT NOT NULL, key_check TEXT NOT NULL, from_seq BIGINT NOT NULL, to_seq BIGINT);
CREATE INDEX prediction_note_by_segment ON prediction_note (segment);
