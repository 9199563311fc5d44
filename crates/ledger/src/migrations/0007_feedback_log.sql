CREATE TABLE feedback_part (endpoint TEXT NOT NULL, ordinal BIGINT NOT NULL, digest TEXT NOT NULL, body TEXT NOT NULL, from_seq BIGINT NOT NULL, to_seq BIGINT);
CREATE INDEX feedback_part_by_ordinal ON feedback_part (ordinal);
CREATE TABLE feedback_segment (segment TEXT NOT NULL, ordinal BIGINT NOT NULL, records BIGINT NOT NULL, from_seq BIGINT NOT NULL, to_seq BIGINT);
CREATE UNIQUE INDEX feedback_segment_once ON feedback_segment (segment, ordinal);
CREATE TABLE feedback_note (segment TEXT NOT NULL, records BIGINT NOT NULL, bytes BIGINT NOT NULL, digest TEXT NOT NULL, from_seq BIGINT NOT NULL, to_seq BIGINT);
CREATE INDEX feedback_note_by_segment ON feedback_note (segment);
