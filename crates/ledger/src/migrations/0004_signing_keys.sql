CREATE TABLE signing_key (verifier TEXT NOT NULL, body TEXT NOT NULL, from_seq BIGINT NOT NULL, to_seq BIGINT);
