CREATE TABLE meaning (project TEXT COLLATE BINARY NOT NULL, kind TEXT COLLATE BINARY NOT NULL, name TEXT COLLATE BINARY NOT NULL, version TEXT COLLATE BINARY NOT NULL, aspect TEXT COLLATE BINARY NOT NULL, key TEXT COLLATE BINARY NOT NULL, text TEXT COLLATE BINARY, from_seq BIGINT NOT NULL, to_seq BIGINT);
CREATE UNIQUE INDEX meaning_holds ON meaning (project, kind, name, version, aspect, key) WHERE to_seq IS NULL;
CREATE INDEX meaning_by_thing ON meaning (project, kind, name, version, from_seq);
CREATE INDEX meaning_by_text ON meaning (aspect, key, text) WHERE to_seq IS NULL AND length(text) <= 200;
CREATE INDEX meaning_by_aspect ON meaning (aspect, key) WHERE to_seq IS NULL;
CREATE TABLE meaning_word (project TEXT COLLATE BINARY NOT NULL, kind TEXT COLLATE BINARY NOT NULL, name TEXT COLLATE BINARY NOT NULL, version TEXT COLLATE BINARY NOT NULL, aspect TEXT COLLATE BINARY NOT NULL, key TEXT COLLATE BINARY NOT NULL, word TEXT COLLATE BINARY NOT NULL, from_seq BIGINT NOT NULL, to_seq BIGINT);
CREATE INDEX meaning_word_by_thing ON meaning_word (project, kind, name, version, aspect, key) WHERE to_seq IS NULL;
CREATE INDEX meaning_word_by_word ON meaning_word (word) WHERE to_seq IS NULL
